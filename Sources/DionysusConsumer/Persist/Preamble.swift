import Dionysus

/// The first statements of a transaction, whose answers decide whether it goes on.
///
/// The statements that follow run with them, so that they need no round trip of their own.
struct Preamble {
    private struct Check {
        let statements: [SQL]
        let refusal: ([ResultSet], inout Transaction) throws -> Refusal?
    }

    private var checks: [Check] = []

    /// Adds statements.
    /// - Parameter refusal: Looks at their answers, and says why the transaction is not to go on.
    mutating func add(_ statements: [SQL], _ refusal: @escaping ([ResultSet], inout Transaction) throws -> Refusal?) {
        checks.append(Check(statements: statements, refusal: refusal))
    }

    /// Runs what has been added, and what follows with it.
    /// - Returns: A result for each statement that follows.
    mutating func run(
        before following: [SQL] = [],
        in transaction: inout Transaction
    ) throws -> Verdict<[ResultSet]> {
        let checks = checks
        self.checks = []
        let statements = checks.flatMap(\.statements) + following
        guard !statements.isEmpty else { return .done([]) }
        var results = try transaction.run(statements)[...]
        for check in checks {
            let answers = Array(results.prefix(check.statements.count))
            if let refusal = try check.refusal(answers, &transaction) { return .refused(refusal) }
            results = results.dropFirst(check.statements.count)
        }
        return .done(Array(results))
    }
}
