import CLibpq
import Dionysus

/// An error as the server reports it.
struct ServerError: Error, CustomStringConvertible {
    let state: String
    let message: String
    /// May hold values of the row.
    let detail: String

    init(_ result: OpaquePointer) {
        func field(_ code: Character) -> String {
            guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return "" }
            return String(cString: text)
        }
        state = field("C")
        message = field("M")
        detail = field("D")
    }

    var description: String { "\(state): \(message) \(detail)" }

    /// Whether a prepared statement is gone, stands already, or no longer fits its tables: the next attempt does without.
    var isOfPreparation: Bool {
        ["26000", "42P05"].contains(state) || state == "0A000" && message.hasPrefix("cached plan")
    }

    /// - Parameters:
    ///   - location: Where the server is.
    ///   - command: The statement's first words.
    func error(at location: String, in command: String) -> DionysusError {
        let code = code
        var error = DionysusError(
            code,
            "PostgreSQL at \(location) refused \(command) (\(state)): \(safeMessage)",
            advice: advice,
            isRetriable: [.databaseUnavailable, .transactionConflict, .timeout].contains(code),
            underlying: self
        )
        error.isRefusalOfAll = Self.refusalsOfAll.contains(state)
        return error
    }

    /// No such table, column, schema or type; no right; a server or transaction that only reads.
    private static let refusalsOfAll: Set<String> = ["42P01", "42703", "3F000", "42704", "42501", "25006"]

    private var code: DionysusError.Code {
        if isOfPreparation { return .transactionConflict }
        return switch state {
        case "40001", "40P01", "55P03": .transactionConflict
        // A busy server takes longer: what it ended says nothing about the statement.
        case "57014": .timeout
        case "25P03", "57P01", "57P02", "57P03", "57P05": .databaseUnavailable
        // The connection, a resource that the server has run out of, or its disk.
        case _ where ["08", "53", "58"].contains(state.prefix(2)): .databaseUnavailable
        case _ where state.hasPrefix("23"): .constraint
        case _ where state.hasPrefix("22"): .typeMismatch
        default: .statement
        }
    }

    private var advice: String? {
        switch state {
        case "42P01": "run migrate, or check the table's name and the search path"
        case "42703": "run migrate, or check the column's name"
        case "25006": "connect to the server that takes writes"
        case "42501": "grant the right, or connect as another user"
        case "55P03": "another transaction holds a lock that is needed; pg_blocking_pids() shows which, if it lasts"
        case "57014": "it took longer than the statement timeout, or somebody cancelled it"
        case "53100": "free some space on the server's disk"
        case "53300": "raise max_connections, or lower the pools' sizes"
        default: nil
        }
    }

    /// What the server says, without the values that class 22 puts into it.
    private var safeMessage: String {
        guard state.hasPrefix("22"), let quote = message.firstIndex(of: "\"") else { return message }
        return message[..<quote] + "…"
    }
}
