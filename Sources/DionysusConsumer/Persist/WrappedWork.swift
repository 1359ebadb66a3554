import Dionysus

/// Work inside code of the application.
///
/// Whatever the code does, the work is done once at most, and its outcome counts: the code can neither hide an error of
/// the work nor undo what has been committed by throwing afterwards.
struct WrappedWork {
    private let wrapper: String
    private let errorHandler: any ErrorHandler
    /// Whether the code may call for the work again when it was not done.
    private let mayRepeat: Bool
    private let context: ErrorContext

    /// - Parameters:
    ///   - wrapper: The code, for messages: `a middleware of v3_rentals`.
    ///   - errorHandler: Gets the errors that come after the work.
    ///   - context: What it gets with them.
    ///   - mayRepeat: Whether the code may call for the work again; that does nothing once the work is done.
    init(by wrapper: String, _ errorHandler: any ErrorHandler, _ context: ErrorContext, mayRepeat: Bool = false) {
        self.mayRepeat = mayRepeat
        self.wrapper = wrapper
        self.errorHandler = errorHandler
        self.context = context
    }

    /// Does the work.
    /// - Parameters:
    ///   - work: The work. A refusal looks like an error to the code around it.
    ///   - wrap: Has to call what it gets, once unless it may repeat that.
    /// - Returns: What the work returns.
    /// - Throws: What the work throws; what `wrap` throws before the work; ``DionysusError`` with code `declaration` if
    ///   `wrap` did not call for the work.
    func run<T: Sendable>(
        _ work: () async throws -> Verdict<T>,
        inside wrap: @escaping (_ next: () async throws -> Void) async throws -> Void
    ) async throws -> Verdict<T> {
        var outcome: Result<Verdict<T>, any Error>?
        do {
            try await failingMessages("\(wrapper) failed") {
                try await wrap {
                    if case .success(.done)? = outcome, mayRepeat { return }
                    if outcome != nil, !mayRepeat { throw misuse("called for the work more than once") }
                    do {
                        let verdict = try await work()
                        outcome = .success(verdict)
                    } catch {
                        outcome = .failure(error)
                        throw error
                    }
                    if case .success(.refused(let refusal))? = outcome { throw refusal.error }
                }
            }
        } catch {
            switch outcome {
            case .success(.done): errorHandler.handle(error, context)
            case .success(.refused): break
            case .failure(let workError): throw workError
            case nil: throw error
            }
        }
        guard let outcome else { throw misuse("ended without calling for the work") }
        return try outcome.get()
    }

    private func misuse(_ what: String) -> DionysusError {
        DionysusError(.declaration, "\(wrapper) has \(what)", advice: mayRepeat ? "call it" : "call it exactly once")
    }
}

/// Makes an error of the application one that fails messages; the consumer's own stay as they are.
func failingMessages<T>(_ what: String, _ body: () async throws -> T) async throws -> T {
    do {
        return try await body()
    } catch  where error is DionysusError || error is CancellationError {
        throw error
    } catch {
        throw DionysusError(.application, what, underlying: error)
    }
}
