import Dionysus
import DionysusFile
import Testing

/// Every mistake in a file is reported in its place, once, with a way out.
struct MistakeTests {
    @Test func `the file without mistakes is read`() throws {
        let file = try CompleteFile.read(CompleteFile.text)
        #expect(file.declarationFaults.isEmpty)
        #expect(file.producer != nil && file.consumer != nil)
        #expect(file.settings.producer.batchSize == 500)
        #expect(file.settings.seedBroker == "embedded:log.sqlite")
        #expect(file.settings.sourceDatabaseURL == "sqlite:source.sqlite")
    }

    @Test(arguments: Mistake.all) func `one mistake is one fault in its place`(_ mistake: Mistake) throws {
        #expect(mistake.file != CompleteFile.text)
        let error = #expect(throws: DionysusError.self) { try CompleteFile.read(mistake.file) }
        let lines = error?.message.split(separator: "\n") ?? []
        #expect(lines.count == 1, "\(lines.joined(separator: " | "))")
        #expect(lines.first?.hasPrefix(mistake.place) == true, "\(lines.first ?? "") instead of \(mistake.place)")
        #expect(lines.first?.contains(mistake.message) == true, "\(lines.first ?? "")")
        #expect(error?.code == .declaration)
    }

    @Test func `all mistakes are reported together, in the order of the file`() throws {
        let text = CompleteFile.text.replacing("model: Country", with: "model: Contry")
            .replacing("batch_size: 500", with: "batchsize: 500").replacing("lanes: 4", with: "lanes: 0")
        let error = #expect(throws: DionysusError.self) { try CompleteFile.read(text) }
        let lines = error?.message.split(separator: "\n") ?? []
        #expect(lines.count == 3)
        #expect(lines.first?.contains("Contry") == true && lines.last?.contains("batchsize") == true)
    }

    @Test func `unset variables don't matter where no value is needed`() throws {
        let file = try DeclarationFile(
            .init(CompleteFile.text.utf8),
            path: "f.yml",
            environment: [:],
            needsVariables: false
        )
        #expect(file.settings.seedBroker.isEmpty)
    }

    @Test func `variables change values and never the file`() throws {
        let text = "dionysus: 1\nname: ${NAME}\nreplica:\n  namespaces: { v1: { topics: [\"${TOPIC}\"] } }\n"
        let name = "a: b\nnamespaces: {}"
        let file = try CompleteFile.read(text, environment: ["NAME": name, "TOPIC": "x"])
        #expect(file.settings.producer.clientID == name)
        #expect(file.producer == nil)
    }

    @Test func `the value of a variable is in no message`() throws {
        let text = CompleteFile.text.replacing("model: Country", with: "model: '${SEED}'")
        let error = #expect(throws: DionysusError.self) { try CompleteFile.read(text, environment: ["SEED": "s3cret"]) }
        #expect(error?.message.contains("there is no model ${SEED}") == true, "\(error?.message ?? "")")
    }

    @Test func `a dollar sign can be written`() throws {
        let text = "dionysus: 1\nname: $${NAME}-${X:-y}-$5\nreplica:\n  namespaces: { v1: { topics: [a] } }\n"
        #expect(try CompleteFile.read(text).settings.producer.clientID == "${NAME}-y-$5")
    }
}
