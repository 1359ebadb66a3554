import Dionysus

import struct Foundation.UUID

/// The columns of stored events, and how their rows are read.
enum EventRows {
    static let columns: SQL =
        "e.id, e.stream, e.position, e.number, e.type, e.version, e.data, e.metadata, e.created_at"

    /// - Parameter sequence: The global position of the event with a number of insertion.
    static func read(
        _ statement: SQL,
        _ types: EventTypes,
        in transaction: inout Transaction,
        sequence: (Int64) -> Int64? = { _ in nil }
    ) throws -> [RecordedEvent] {
        let stored = try transaction.run(statement).rows.map { try event($0, sequence) }
        return try decrypt(stored, types, in: &transaction)
    }

    /// Reads events with their numbers of insertion.
    static func readNumbered(
        _ statement: SQL,
        _ types: EventTypes,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        let result = try transaction.run(statement)
        let numbers = try result.rows.compactMap { try $0.integer(3) }
        let stretch = try EventStretch.load(numbers: numbers, in: &transaction)
        return try decrypt(result.rows.map { try event($0, stretch.sequence) }, types, in: &transaction)
    }

    /// Decodes events with the keys of the people they identify, without the unknown events that are left out.
    static func decrypt(
        _ events: [StoredEvent],
        _ types: EventTypes,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        let keys = try SubjectKeys.load(events.compactMap(\.subject), in: &transaction)
        return try events.compactMap { try RecordedEvent($0, key: keys[$0.subject], types) }
    }

    private static func event(_ row: Row, _ sequence: (Int64) -> Int64?) throws -> StoredEvent {
        guard let id = row[0].uuid, let stream = try row.text(1), let position = try row.integer(2),
            let type = try row.text(4), let version = try row.integer(5), let createdAt = try row.timestamp(8)
        else {
            throw DionysusError(.malformed, "a row of \(EventSchema.table) lacks a value")
        }
        return StoredEvent(
            id: id,
            stream: stream,
            position: position,
            globalPosition: try row.integer(3).flatMap(sequence),
            type: type,
            version: Int(version),
            data: try row.document(6),
            metadata: EventMetadata(try row.document(7)),
            createdAt: createdAt
        )
    }
}

extension Row {
    /// The JSON document in a column.
    func document(_ column: Int) throws -> JSON {
        let text = try text(column) ?? "null"
        // Most events have no metadata.
        return text == "{}" ? .object(JSON.Object()) : try JSON(parsing: text.utf8)
    }
}

extension DatabaseValue {
    /// The value as a UUID, if it is one.
    var uuid: UUID? {
        switch self {
        case .uuid(let value): value
        case .text(let text): UUID(uuidString: text)
        default: nil
        }
    }
}
