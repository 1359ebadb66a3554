import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusFile
import DionysusProducer
import Foundation
import Testing

/// A declaration becomes a file that says the same.
struct WrittenFileTests {
    private func written(_ file: DeclarationFile) -> String {
        FileText(
            file.producer ?? FileProducer(),
            file.consumer ?? FileConsumer(),
            name: "bookings",
            settings: file.settings
        )
        .text
    }

    private func contract(_ file: DeclarationFile) throws -> JSON {
        try Registry(try #require(file.producer), settings: file.settings.producer).contract.document
    }

    @Test func `a file is read and written again without a loss`() throws {
        let file = try CompleteFile.read(CompleteFile.text)
        let text = written(file)
        #expect(!text.contains("Only code can say this"), "\(text)")
        let again = try CompleteFile.read(text)
        #expect(again.declarationFaults.isEmpty)
        #expect(written(again) == text)
        #expect(try contract(again) == contract(file))
        let outlines = [file, again].compactMap(\.consumer).map { ConsumerOutline($0, settings: ConsumerSettings()) }
        #expect(String(describing: outlines[0]) == String(describing: outlines[1]))
    }

    @Test func `every key that isn't an address or a migration is written again`() throws {
        let text = written(try CompleteFile.read(CompleteFile.text))
        let schema = try JSON(parsing: Array(FileSchema.text.utf8))
        // Computed attributes are written among the others.
        let left: Set<String> = [
            "broker", "seed", "registry", "database", "migrate", "postgresql", "sqlite", "computed",
        ]
        let keys = keys(of: schema)
        #expect(keys.count > 90)
        for key in keys.subtracting(left) { #expect(text.contains("\(key): ") || text.contains("\(key):\n"), "\(key)") }
    }

    /// The keys of a schema, without those of the library's settings.
    private func keys(of schema: JSON) -> Set<String> {
        switch schema {
        case .array(let elements): return elements.reduce(into: []) { $0.formUnion(keys(of: $1)) }
        case .object(let object):
            var found: Set<String> = []
            for member in object.members {
                guard member.name == "properties", case .object(let properties) = member.value else {
                    found.formUnion(keys(of: member.value))
                    continue
                }
                for property in properties.members {
                    found.insert(property.name)
                    let isLibrary = property.name == "settings" && property.value["properties"]?["batch_size"] != nil
                    if !isLibrary { found.formUnion(keys(of: property.value)) }
                }
            }
            return found
        default: return []
        }
    }

    @Test func `texts come back as they are, whatever is in them`() throws {
        let texts = [
            "a: b", "# no", "- x", "yes", "12", "1e3", "null", "", " edge ", "two\nlines", "tab\there",
            "\"quoted\" 'too'",
            "${NAME}", "$${x}", "\\", "ünï", "!tag", "&anchor *alias", "{a: [b]}", "line\n\n  deeper\nend\n", "%", "@x",
            "a #b",
        ]
        for text in texts {
            let consumer = ReadOnlyMirror(column: text)
            let written = FileText(NoProducer(), consumer, name: text, settings: ApplicationSettings()).text
            let file = try CompleteFile.read(written)
            #expect(file.settings.producer.clientID == text, "\(written)")
            let again = FileText(NoProducer(), try #require(file.consumer), name: "x", settings: file.settings).text
            #expect(again == written)
        }
    }

    private struct ReadOnlyMirror: Consumer {
        let column: String

        var namespaces: [Namespace] { Namespace("v1") { Topic("rentals") } }
        var models: Models { Persist("Rental", table: "rentals").readOnly(column).renaming(column, to: "title") }
    }

    @Test func `what only code can say is named`() {
        let text = FileText(CodedSync(), CodedMirror(), name: "coded", settings: ApplicationSettings()).text
        for line in [
            "#   v1, serializer of Card: the attribute label, which code computes",
            "#   v1, topic cards: its partition key, which code computes",
            "#   v1, consumed topic cards: filters", "#   v1, consumed topic cards: handlers",
            "#   replica of Card: what is stored beside the attributes",
        ] { #expect(text.contains(line), "\(line) is not in:\n\(text)") }
        #expect(throws: Never.self) { try CompleteFile.read(text) }
    }

    private struct Card: Model {
        var id: Int
        var title: String
        enum CodingKeys: String, CodingKey { case id, title }
    }

    private struct CardSerializer: ModelSerializer {
        var fields: Fields<Card> {
            Attributes(.id, .title)
            Attribute("label") { card, _ in card.title.uppercased() }
        }
    }

    private struct CodedSync: Producer {
        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { CardSerializer() }) {
                Topic("cards", partitionKey: .computed { _ in nil }) { Publish(Card.self) }
            }
        }
    }

    private struct CodedMirror: Consumer {
        var namespaces: [Namespace] {
            Namespace("v1") {
                Topic("cards").accepting { _ in true }.handling { _, _ in .acknowledged }
            }
        }
        var models: Models { Persist("Card", table: "cards").storing { _ in [:] } }
    }
}
