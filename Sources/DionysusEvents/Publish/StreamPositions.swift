import Dionysus

/// The last position of each stream that a reader has handled, committed with what it did.
///
/// By them an event is handled once and in its order, whatever it came by: the broker, the table, or a rebuild.
struct StreamPositions {
    let reader: String
    let generation: Int64

    /// Notes events as handled.
    /// - Returns: Those that have not been handled before.
    /// - Throws: ``DionysusError`` with code `conflict` if an event of a stream is missing before one of them.
    func admit(_ events: [RecordedEvent], in transaction: inout Transaction) throws -> [RecordedEvent] {
        guard !events.isEmpty else { return [] }
        var positions = try handled(events, in: &transaction)
        var fresh: [RecordedEvent] = []
        for event in events {
            let last = positions[event.stream] ?? 0
            guard event.position > last else { continue }
            guard event.position == last + 1 else {
                throw DionysusError(
                    .conflict,
                    "\(reader) has handled stream \(event.stream.description.shown) up to position \(last), and position "
                        + "\(event.position) came next",
                    advice: "find out what became of the events between, or rebuild it from the table"
                )
            }
            positions[event.stream] = event.position
            fresh.append(event)
        }
        let changed = Array(Set(fresh.map(\.stream)))
        guard !changed.isEmpty else { return [] }
        let columns = [
            BulkColumn("stream", .text, changed.map { .text($0.description) }),
            BulkColumn("position", .integer, changed.map { .integer(positions[$0] ?? 0) }),
        ]
        try transaction.run(
            """
            INSERT INTO dionysus_stream_positions (reader, generation, stream, position)
            SELECT \(reader), \(generation), v.stream, v.position FROM \(transaction.dialect.rows(columns, alias: "v"))
            WHERE true ON CONFLICT (reader, generation, stream) DO UPDATE SET position = excluded.position
            """
        )
        return fresh
    }

    private func handled(_ events: [RecordedEvent], in transaction: inout Transaction) throws -> [StreamName: Int64] {
        let dialect = transaction.dialect
        let streams = Set(events.map(\.stream)).map { DatabaseValue.text($0.description) }
        let column = BulkColumn("stream", .text, streams)
        let results = try transaction.run([
            // Only a row can be locked: two readers would both find that nothing of a stream has been handled.
            """
            INSERT INTO dionysus_stream_positions (reader, generation, stream, position)
            SELECT \(reader), \(generation), v.stream, 0
            FROM \(dialect.rows([column], alias: "v"))
            WHERE true ORDER BY v.stream ON CONFLICT (reader, generation, stream) DO NOTHING
            """,
            """
            SELECT p.stream, p.position FROM \(dialect.lookupRows([column], alias: "v"))
            JOIN dionysus_stream_positions AS p
              ON p.reader = \(reader) AND p.generation = \(generation) AND p.stream = v.stream
            ORDER BY p.stream \(raw: dialect.forUpdate)
            """,
        ])
        return try results[1].rows
            .reduce(into: [:]) { positions, row in
                if let stream = try row.text(0) { positions[StreamName(stream)] = try row.integer(1) }
            }
    }

    /// The last position of a stream that has been handled; 0 if none has.
    func position(of stream: StreamName, in transaction: inout Transaction) throws -> Int64 {
        try transaction
            .run(
                """
                SELECT position FROM dionysus_stream_positions
                WHERE reader = \(reader) AND generation = \(generation) AND stream = \(stream.description)
                """
            )
            .first?
            .integer(0) ?? 0
    }
}
