import Dionysus

/// Work that code of the application wraps.
///
/// Whatever the code does, the work succeeds once at most, and its outcome counts: an error of the work can't be swallowed,
/// and an error that comes after it can't undo what has been committed.
struct WrappedWork {
    private let wrapper: String
    private let errorHandler: any ErrorHandler
    /// Whether the work may be called for again when it has failed.
    private let mayRepeat: Bool
    private let context: ErrorContext

    /// - Parameters:
    ///   - wrapper: What wraps, for messages: `a middleware of v3_rentals`.
    ///   - errorHandler: Is told of errors that come after the work.
    ///   - context: What it is told about them.
    ///   - mayRepeat: Whether the work may be called for again; that does nothing once it has succeeded.
    init(by wrapper: String, _ errorHandler: any ErrorHandler, _ context: ErrorContext, mayRepeat: Bool = false) {
        self.mayRepeat = mayRepeat
        self.wrapper = wrapper
        self.errorHandler = errorHandler
        self.context = context
    }

    /// Does the work.
    /// - Parameters:
    ///   - work: The work.
    ///   - wrap: Has to call what it is given, once unless it may be repeated.
    /// - Returns: What the work returns.
    /// - Throws: What the work throws; what `wrap` throws before the work; ``DionysusError`` with code `declaration` if
    ///   the work was not called for.
    func run<T: Sendable>(
        _ work: () async throws -> T,
        inside wrap: @escaping (_ next: () async throws -> Void) async throws -> Void
    ) async throws -> T {
        var outcome: Result<T, any Error>?
        do {
            try await failingMessages("\(wrapper) failed") {
                try await wrap {
                    if case .success? = outcome, mayRepeat { return }
                    if outcome != nil, !mayRepeat { throw misuse("called for the work more than once") }
                    do {
                        outcome = .success(try await work())
                    } catch {
                        outcome = .failure(error)
                        throw error
                    }
                }
            }
        } catch {
            switch outcome {
            case .success: errorHandler.handle(error, context)
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
    } catch  where error is DionysusError || error is PositionLost || error is CancellationError {
        throw error
    } catch {
        throw DionysusError(.application, what, underlying: error)
    }
}
