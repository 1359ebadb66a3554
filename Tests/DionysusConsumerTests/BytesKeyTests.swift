import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Replicas that keep the UUIDs of records as bytes, as GRDB does it.
@Suite struct BytesKeyTests {
    private static let ids = ["6a2f41a3-c54c-4ce8-93d2-0324e1c32e22", "0b2f41a3-c54c-4ce8-93d2-0324e1c32e22"]

    private static func gadget(_ change: EventName.Change, _ id: String, name: String?, version: Int64) -> WireMessage {
        let attributes = name.map { #""name":"\#($0)","links":{"owner":"\#(ids[0])"}"# } ?? #""links":{}"#
        return .event("gadget_\(change)", "Gadget", #"{"id":"\#(id)",\#(attributes)}"#, version: version)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `records are created, updated, destroyed and linked by them`(_ kind: TestDatabaseKind) async throws {
        let bytes = kind == .postgres ? "bytea" : "BLOB"
        let hex: SQL = kind == .postgres ? "encode(synced_id, 'hex')" : "lower(hex(synced_id))"
        let owner: SQL = kind == .postgres ? "encode(synced_owner_id, 'hex')" : "lower(hex(synced_owner_id))"
        try await ReplicaHarness.run(kind) { replica in
            _ = try await replica.database.transaction(.write) { transaction in
                try transaction.run(
                    """
                    CREATE TABLE gadgets (synced_id \(raw: bytes) UNIQUE, synced_owner_id \(raw: bytes), name text,
                      synced_version bigint)
                    """
                )
            }
            try await replica.publish(
                Self.gadget(.created, Self.ids[0], name: "a", version: 1),
                Self.gadget(.created, Self.ids[1].uppercased(), name: "b", version: 2)
            )
            try await replica.consume()
            try await replica.publish(
                Self.gadget(.updated, Self.ids[0], name: "c", version: 3),
                // An older one, and the end of the other, which stays ended.
                Self.gadget(.updated, Self.ids[0], name: "late", version: 1),
                Self.gadget(.destroyed, Self.ids[1], name: nil, version: 5),
                Self.gadget(.updated, Self.ids[1], name: "late", version: 4)
            )
            try await replica.consume()
            let expected = Self.ids[0].replacing("-", with: "")
            #expect(
                try await replica.rows("SELECT \(hex), name, \(owner) FROM gadgets") == ["\(expected) c \(expected)"]
            )
        }
    }
}
