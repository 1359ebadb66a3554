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

    /// - Returns: The results, and the failure that has ended them early.
    mutating func exchange(
        _ commands: [Command],
        on connection: OpaquePointer
    ) throws(Loss) -> (results: [ResultSet], failure: DionysusError?) {
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
        return try collect(steps, from: connection)
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
        from connection: OpaquePointer
    ) throws(Loss) -> (results: [ResultSet], failure: DionysusError?) {
        var results: [ResultSet] = []
        results.reserveCapacity(steps.count)
        var failure: DionysusError?
        var nothings = 0
        var done = 0
        while true {
            guard let result = PQgetResult(connection) else {
                // One nothing ends each statement; two in a row mean that the connection has no more to say.
                nothings += 1
                if nothings > 1 { throw loss(of: connection, after: failure) }
                continue
            }
            nothings = 0
            defer { PQclear(result) }
            let step = done < steps.count ? steps[done] : nil
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC: return (results, failure)
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                if case .preparation(let command, let name) = step {
                    preparedStatements.confirm(command, as: name)
                } else {
                    largestPiece = max(largestPiece, largestRow(of: result))
                    results.append(ResultSet(result))
                }
            case PGRES_PIPELINE_ABORTED: break
            default:
                if failure == nil {
                    let error = ServerError(result)
                    if error.isOfPreparation { preparedStatements.giveUp() }
                    failure = error.error(at: location, in: step?.command.summary ?? "")
                }
                if PQstatus(connection) != CONNECTION_OK {
                    throw Loss(reason: firstLine(PQresultErrorMessage(result)), failure: failure)
                }
            }
            done += 1
        }
    }

    /// The size of the largest row, in bytes; 0 if the result is small.
    private func largestRow(of result: OpaquePointer) -> Int {
        guard PQresultMemorySize(result) > 1 << 20 else { return 0 }
        return (0..<PQntuples(result))
            .reduce(0) { largest, row in
                max(largest, (0..<PQnfields(result)).reduce(0) { $0 + Int(PQgetlength(result, row, $1)) })
            }
    }

    private func loss(of connection: OpaquePointer, after failure: DionysusError? = nil) -> Loss {
        Loss(reason: firstLine(PQerrorMessage(connection)), failure: failure)
    }
}
