import Dionysus

/// What a transaction begins with: statements whose answers are looked at before anything is made of those that follow, so
/// that they need no round trip of their own.
struct Opening {
    private struct Part {
        let statements: [SQL]
        let look: ([ResultSet], inout Transaction) throws -> Void
    }

    private var parts: [Part] = []

    /// Adds statements.
    /// - Parameter look: Looks at their answers, and throws if the transaction is not to be.
    mutating func add(_ statements: [SQL], _ look: @escaping ([ResultSet], inout Transaction) throws -> Void) {
        parts.append(Part(statements: statements, look: look))
    }

    /// Runs what has been added, and what follows with it.
    /// - Returns: A result for each statement that follows.
    mutating func run(before following: [SQL] = [], in transaction: inout Transaction) throws -> [ResultSet] {
        let parts = parts
        self.parts = []
        let statements = parts.flatMap(\.statements) + following
        guard !statements.isEmpty else { return [] }
        var results = try transaction.run(statements)[...]
        for part in parts {
            try part.look(Array(results.prefix(part.statements.count)), &transaction)
            results = results.dropFirst(part.statements.count)
        }
        return Array(results)
    }
}
