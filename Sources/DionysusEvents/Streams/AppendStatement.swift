import Dionysus

/// The statement that appends events to one stream, if it is where it is expected to be.
struct AppendStatement {
    let events: [NewEvent]
    let stream: StreamName
    let expected: ExpectedPosition
    let keys: SubjectKeys

    /// Returns no rows if the condition doesn't hold, and otherwise one for each event.
    ///
    /// Two writers can both find the condition true: then the second one breaks the unique key of stream and position.
    ///
    /// The transaction gets its number before it draws numbers of insertion (``OrderMarks``).
    ///
    /// Connections prepare statements that begin with `INSERT`, which takes a third off the time of a single event. Statements with
    /// several events are planned for their number.
    func sql(_ dialect: any SQLDialect) throws -> SQL {
        let stored = try events.map { try row(of: $0) }
        let columns = [
            BulkColumn("n", .integer, events.indices.map { .integer(Int64($0 + 1)) }),
            BulkColumn("id", .uuid, events.map { .uuid($0.id) }),
            BulkColumn("type", .text, events.map { .text(type(of: $0.event).eventName) }),
            BulkColumn("version", .integer, events.map { .integer(Int64(type(of: $0.event).eventVersion)) }),
            BulkColumn("data", .json, stored.map { .json($0.data.text) }),
            BulkColumn("metadata", .json, stored.map { .json($0.metadata.json.text) }),
        ]
        let isRepeated = dialect.isAnyKey("e.id", of: events.map { .uuid($0.id) }, type: .uuid)
        let head: SQL = "WITH head AS (\(Self.head(of: stream)))"
        let insert: SQL = """
            INSERT INTO dionysus_stream_events (id, stream, position, type, version, data, metadata, created_at)
            """
        let beginning = events.count == 1 ? [insert, head] : [head, insert]
        return """
            \(beginning.joined(separator: " "))
            SELECT v.id, \(stream.description), coalesce((SELECT position FROM head), 0) + v.n, v.type, v.version, v.data,
              v.metadata, \(dialect.now)
            FROM \(dialect.rows(columns, alias: "v"))
            WHERE \(dialect.transactionNumber) IS NOT NULL AND \(condition) AND NOT EXISTS (SELECT 1 FROM head WHERE type = \(raw: Self.endType))
              AND NOT EXISTS (SELECT 1 FROM dionysus_stream_events AS e WHERE \(isRepeated))
            ORDER BY v.n
            RETURNING position
            """
    }

    private func row(of new: NewEvent) throws -> (data: JSON, metadata: EventMetadata) {
        let data = try JSONTreeEncoder().encode(new.event)
        guard let event = new.event as? any PersonalEvent else { return (data, new.metadata) }
        guard let key = keys[event.subject] else {
            throw DionysusError(
                .transactionConflict,
                "that event \(new.id) identifies was forgotten at the same moment",
                advice: "roll the transaction back and try again",
                isRetriable: true
            )
        }
        let encrypted = try MemberCipher.encrypt(data, type(of: event).personalMembers, of: new.id, with: key)
        var metadata = new.metadata
        metadata.others[MemberCipher.subjectName] = event.subject
        metadata.others[MemberCipher.membersName] = JSON.array(encrypted.members.map(JSON.string)).text
        return (encrypted.data, metadata)
    }

    private var condition: SQL {
        switch expected {
        case .any: "true"
        case .none: "NOT EXISTS (SELECT 1 FROM head)"
        case .exists: "EXISTS (SELECT 1 FROM head)"
        case .position(let position): "coalesce((SELECT position FROM head), 0) = \(position)"
        }
    }

    /// The last event of a stream.
    static func head(of stream: StreamName) -> SQL {
        """
        SELECT position, type FROM dionysus_stream_events WHERE stream = \(stream.description)
        ORDER BY position DESC LIMIT 1
        """
    }

    private static let endType = "'\(StreamEnded.eventName)'"
}
