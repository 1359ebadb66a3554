import CLibpq
import Dionysus

/// Takes statements to the server and brings their results, on a connection in pipeline mode.
///
/// Statements that are given together cost one round trip.
struct Pipeline {
    /// Why a connection is of no use any more.
    struct Loss: Error {
        let reason: String
        /// What the server has refused before.
        var failure: DionysusError?
    }

    /// What each result of the pipeline answers.
    private enum Step {
        case preparation(of: Command, as: String)
        case execution(of: Command)

        var command: Command {
            switch self {
            case .preparation(let command, _), .execution(let command): command
            }
        }
    }

    private let location: String
    private var preparedStatements: PreparedStatements
    /// The largest number of bytes that were sent at once, or received as one row: libpq's buffers hold that.
    private(set) var largestPiece = 0

    /// - Parameters:
    ///   - location: Where the server is, for messages.
    ///   - isDirect: Whether the connection leads to one server process, in which statements stay prepared.
    init(location: String, isDirect: Bool) {
        self.location = location
        preparedStatements = PreparedStatements(isPossible: isDirect)
    }

    /// A statement that ends a transaction, and what the server has to do after it.
    mutating func end(_ statement: SQL) -> [SQL] {
        preparedStatements.expire() ? [statement, "DEALLOCATE ALL"] : [statement]
    }

    /// How an exchange ended.
    struct Answer {
        var results: [ResultSet] = []
        /// What has ended the results early.
        var failure: DionysusError?
        /// Whether the results were too large: the rest of them has not been read, and the connection is of no use any more.
        var isTooLarge = false
    }

    /// - Parameter room: The size in memory that results may have, in bytes; nil for any.
    mutating func exchange(
        _ commands: [Command],
        on connection: OpaquePointer,
        upTo room: Int? = nil
    ) throws(Loss) -> Answer {
        defer { preparedStatements.noteAnswers() }
        var steps: [Step] = []
        steps.reserveCapacity(commands.count)
        for command in commands {
            let sending = preparedStatements.sending(of: command)
            guard command.enqueue(on: connection, sending) else { throw loss(of: connection) }
            if case .preparing(let name) = sending { steps.append(.preparation(of: command, as: name)) }
            steps.append(.execution(of: command))
        }
        largestPiece = max(largestPiece, commands.reduce(0) { $0 + $1.byteCount })
        guard PQpipelineSync(connection) == 1 else { throw loss(of: connection) }
        try flush(connection)
        return try collect(steps, from: connection, upTo: room)
    }

    /// Sends without waiting on a server that itself waits for its answers to be read.
    private func flush(_ connection: OpaquePointer) throws(Loss) {
        while true {
            switch PQflush(connection) {
            case 0: return
            case 1:
                guard let isReadable = Socket.waitUntilReady(PQsocket(connection)) else {
                    throw Loss(reason: "its socket failed")
                }
                if isReadable, PQconsumeInput(connection) == 0 { throw loss(of: connection) }
            default: throw loss(of: connection)
            }
        }
    }

    /// Takes everything that comes back, also after a failure, so that the next statements find an empty pipeline.
    private mutating func collect(
        _ steps: [Step],
        from connection: OpaquePointer,
        upTo room: Int?
    ) throws(Loss) -> Answer {
        var answer = Answer()
        answer.results.reserveCapacity(steps.count)
        /// Reads the statement whose rows come one by one.
        var reader: ResultReader?
        var size = 0
        var nothings = 0
        var done = 0
        if room != nil { PQsetSingleRowMode(connection) }
        while true {
            guard let result = PQgetResult(connection) else {
                // One nothing ends each statement; two in a row mean that the connection has no more to say.
                nothings += 1
                if nothings > 1 { throw loss(of: connection, after: answer.failure) }
                // libpq collects all rows of a result, unless told for each statement not to.
                if room != nil { PQsetSingleRowMode(connection) }
                continue
            }
            nothings = 0
            defer { PQclear(result) }
            let step = done < steps.count ? steps[done] : nil
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC: return answer
            case PGRES_SINGLE_TUPLE:
                var rows = reader ?? ResultReader(result)
                reader = nil
                rows.read(result)
                if let room, size + rows.byteCount > room {
                    answer.isTooLarge = true
                    return answer
                }
                reader = rows
                continue
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                if case .preparation(let command, let name) = step {
                    preparedStatements.confirm(command, as: name)
                } else {
                    var rows = reader ?? ResultReader(result)
                    rows.read(result)
                    largestPiece = max(largestPiece, rows.largestRow)
                    size += rows.byteCount
                    answer.results.append(rows.resultSet(endingWith: result))
                }
            case PGRES_PIPELINE_ABORTED: break
            default:
                if answer.failure == nil {
                    let error = ServerError(result)
                    if error.isOfPreparation { preparedStatements.giveUp() }
                    answer.failure = error.error(at: location, in: step?.command.summary ?? "")
                }
                if PQstatus(connection) != CONNECTION_OK {
                    throw Loss(reason: firstLine(PQresultErrorMessage(result)), failure: answer.failure)
                }
            }
            reader = nil
            done += 1
        }
    }

    private func loss(of connection: OpaquePointer, after failure: DionysusError? = nil) -> Loss {
        Loss(reason: firstLine(PQerrorMessage(connection)), failure: failure)
    }
}
