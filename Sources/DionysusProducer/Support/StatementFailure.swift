import Dionysus

extension DionysusError {
    /// Whether a statement failed by what it says or finds: doing the same later fails too, and others may succeed.
    var isOfStatement: Bool {
        !isRetriable && [.statement, .constraint, .typeMismatch, .malformed, .declaration].contains(code)
    }
}

extension Result where Failure == DionysusError {
    var failure: DionysusError? { if case .failure(let error) = self { error } else { nil } }
}

extension Transaction {
    /// Runs a part that a statement's failure doesn't take the rest of the transaction with.
    /// - Throws: What is no statement's failure: the database's, for instance.
    mutating func attempt<T>(_ body: (inout Transaction) throws -> T) throws -> Result<T, DionysusError> {
        do {
            return .success(try savepoint(body))
        } catch let error as DionysusError where error.isOfStatement {
            return .failure(error)
        }
    }
}
