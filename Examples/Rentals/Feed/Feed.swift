import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import Foundation

/// Topics in other encodings than the envelope: with Avro schemas of a registry.
///
/// They are declared only if there is a registry, so that the demonstration needs none.
enum Feed {
    /// Whether there is a registry.
    static var isDeclared: Bool {
        ProcessInfo.processInfo.environment["DIONYSUS_SCHEMA_REGISTRY_URL"]?.isEmpty == false
    }

    /// The topic of announcements, without a prefix.
    static let announcements = "feed_announcements"

    /// What is published: rentals as records, and announcements, which are no model's.
    static func published(_ serializers: Serializers) -> ProducerNamespace {
        ProducerNamespace("feed", serializers: serializers) {
            ProducerTopic(
                "rentals",
                encoding: .record(.avro(key: .field("id"))),
                partitionKey: Rental.CodingKeys.accountID
            ) {
                Publish(Rental.self).observing(Account.self, .defaultCheckInTime, through: Account.rentals)
            }
            ProducerTopic(
                messages: "announcements",
                encoding: .record(.avro(.text(text(PackageResources.Announcement_avsc)), key: .none))
            )
        }
    }

    /// What is consumed: widgets of other programs, whatever version of the schema they write with.
    static var consumed: ConsumerNamespace {
        ConsumerNamespace("feed") {
            ConsumerTopic(
                "widgets",
                encoding: .record(.avro(.text(text(PackageResources.Widget_avsc)), key: .field("id"))),
                accepting: ["Widget"]
            )
        }
    }

    /// The table of widgets.
    static func createReplica(in transaction: inout Transaction) throws {
        let types = TableTypes(transaction.dialect)
        let json = transaction.dialect.columnType(.json)
        try transaction.run(
            """
            CREATE TABLE IF NOT EXISTS widgets (
              id \(raw: types.key), synced_id \(raw: types.reference) NOT NULL UNIQUE, name text, amount numeric(10,2),
              made_at \(raw: types.timestamp), tags \(raw: types.texts), note text,
              synced_version \(raw: types.reference), synced_data \(raw: json), \(raw: types.timestamps)
            )
            """
        )
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
