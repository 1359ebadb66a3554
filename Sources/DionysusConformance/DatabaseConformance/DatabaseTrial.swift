import Dionysus

/// A database under test, with operations for the checks.
struct DatabaseTrial: Sendable {
    let database: any Database
    let makeDatabase: @Sendable () async throws -> any Database

    var dialect: any SQLDialect { database.dialect }

    /// Creates a table for the duration of a check.
    /// - Parameters:
    ///   - columns: The content of the parentheses of `CREATE TABLE`.
    ///   - name: The table's name; a new, unique name by default.
    func withTable(
        _ columns: SQL,
        named name: String? = nil,
        _ body: (_ table: String) async throws -> Void
    ) async throws {
        let table = name ?? DatabaseTrial.freshName()
        _ = try await database.transaction(.write) { transaction in
            try transaction.run("CREATE TABLE \(identifier: table) (\(columns))")
        }
        do {
            try await body(table)
        } catch {
            try await drop(table)
            throw error
        }
        try await drop(table)
    }

    private func drop(_ table: String) async throws {
        _ = try await database.transaction(.write) { transaction in
            try transaction.run("DROP TABLE \(identifier: table)")
        }
    }

    /// Runs one statement in a separate transaction.
    @discardableResult
    func run(_ statement: SQL) async throws -> ResultSet {
        try await database.transaction(.write) { transaction in try transaction.run(statement) }
    }

    func count(_ table: String) async throws -> Int64? {
        try await run("SELECT count(*) FROM \(identifier: table)").first?.integer(0)
    }

    /// Runs an operation that must fail.
    func expectFailure<T>(
        code: DionysusError.Code,
        _ subject: String,
        _ body: () async throws -> T
    ) async throws -> DionysusError {
        do {
            _ = try await body()
        } catch let error as DionysusError where error.code == code {
            return error
        } catch {
            throw ConformanceFailure(
                expected: "\(subject) to fail with \(code)",
                actual: "it failed with \(String(reflecting: error))"
            )
        }
        throw ConformanceFailure(expected: "\(subject) to fail with \(code)", actual: "it succeeded")
    }

    static func freshName(_ prefix: String = "conformance") -> String {
        "\(prefix)_\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    }
}

extension SQLDialect {
    func column(_ name: String, _ type: ColumnType) -> SQL { "\(identifier: name) \(raw: columnType(type))" }
}
