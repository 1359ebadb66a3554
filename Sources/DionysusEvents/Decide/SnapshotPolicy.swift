import Dionysus

/// How often the state of a stream is stored, so that loading need not begin with the first event.
///
/// A snapshot is only a shortcut: it is ignored if its version is another than the declared one, or if the stream has no
/// event at its position.
public struct SnapshotPolicy<State: Sendable>: Sendable {
    let name: String
    let version: Int
    let interval: Int64
    let encode: @Sendable (State) throws -> String
    let decode: @Sendable (JSON) throws -> State

    /// Creates a policy.
    /// - Parameters:
    ///   - name: What tells it from other states of the same streams.
    ///   - version: The version of the state's shape. Raise it with every change of the state or of `evolve`.
    ///   - interval: After how many events a new one is stored.
    public init(_ name: String, version: Int, every interval: Int) where State: Codable {
        self.name = name
        self.version = version
        self.interval = Int64(max(interval, 1))
        encode = { try JSONTreeEncoder().encode($0).text }
        decode = { try State(from: JSONTreeDecoder(value: $0, path: "a snapshot of \(name)")) }
    }

    func load(_ stream: StreamName, in transaction: inout Transaction) throws -> (state: State, position: Int64)? {
        let statement: SQL = """
            SELECT s.position, s.state FROM dionysus_stream_snapshots AS s
            WHERE s.stream = \(stream.description) AND s.name = \(name) AND s.version = \(version) AND EXISTS (
              SELECT 1 FROM dionysus_stream_events AS e WHERE e.stream = s.stream AND e.position = s.position
            )
            """
        guard let row = try transaction.run(statement).first, let position = try row.integer(0),
            // What can't be decoded is as good as none.
            let state = try? decode(row.document(1))
        else { return nil }
        return (state, position)
    }

    func store(_ state: State, of stream: StreamName, at position: Int64, in transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        let columns = [BulkColumn("state", .json, [.json(try encode(state))])]
        try transaction.run(
            """
            INSERT INTO dionysus_stream_snapshots (stream, name, version, position, state, created_at)
            SELECT \(stream.description), \(name), \(version), \(position), v.state, \(now)
            FROM \(transaction.dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT (stream, name) DO UPDATE SET version = excluded.version, position = excluded.position,
              state = excluded.state, created_at = excluded.created_at
            """
        )
    }
}
