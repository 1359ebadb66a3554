import Dionysus

/// What was read of something, and how it stands.
enum Reading<Value: Sendable>: Sendable {
    /// It was read a moment ago.
    case current(Value)
    /// It was read at a time, and not since.
    case stale(Value, since: Timestamp, reason: String?)
    /// It could not be read.
    case unreachable(reason: String, since: Timestamp)

    /// What is known, however old.
    var value: Value? {
        switch self {
        case .current(let value), .stale(let value, _, _): value
        case .unreachable: nil
        }
    }

    /// Why nothing current is known.
    var problem: String? {
        switch self {
        case .current: nil
        case .stale(_, let since, let reason): "as of \(Format.time(since)) UTC\(reason.map { ": \($0)" } ?? "")"
        case .unreachable(let reason, let since): "\(reason) (since \(Format.time(since)) UTC)"
        }
    }
}

/// Something that many look at and one reads: at most once in a while, and never twice at the same time.
///
/// Nobody waits for it longer than a moment. A database or a broker that doesn't answer keeps no page from being shown.
actor Shared<Value: Sendable> {
    private let maxAge: Duration
    private let patience: Duration
    private let waitsOnlyOnce: Bool
    private let read: @Sendable () async throws -> Value
    private var last: (value: Value, instant: ContinuousClock.Instant, time: Timestamp)?
    private var failure: (reason: String, since: Timestamp)?
    private var isReading = false
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    private var waiters = 0

    /// - Parameters:
    ///   - maxAge: How old it may be before it is read again.
    ///   - patience: How long somebody waits for it.
    ///   - waitsOnlyOnce: Whether nobody waits while something not much older than `maxAge` is known, because reading
    ///     takes long.
    init(
        maxAge: Duration,
        patience: Duration = .seconds(3),
        waitsOnlyOnce: Bool = false,
        _ read: @escaping @Sendable () async throws -> Value
    ) {
        self.maxAge = maxAge
        self.patience = patience
        self.waitsOnlyOnce = waitsOnlyOnce
        self.read = read
    }

    /// What is known now.
    func reading() async -> Reading<Value> {
        if let last, last.instant > .now - maxAge, failure == nil { return .current(last.value) }
        if !isReading {
            isReading = true
            Task { await refresh() }
        }
        if waitsOnlyOnce, let last, failure == nil, last.instant > .now - maxAge * 5 { return .current(last.value) }
        await wait()
        if let last, last.instant > .now - maxAge * 2, failure == nil { return .current(last.value) }
        if let last { return .stale(last.value, since: last.time, reason: failure?.reason ?? "no answer since") }
        let reason = failure?.reason ?? "no answer within \(patience.components.seconds) s"
        return .unreachable(reason: reason, since: failure?.since ?? .now)
    }

    /// Forgets what was read, because it has been changed.
    func invalidate() { last?.instant = .now - .seconds(3600) }

    private func refresh() async {
        do {
            last = (try await read(), .now, .now)
            failure = nil
        } catch {
            failure = ("\(error)", failure?.since ?? .now)
        }
        isReading = false
        for continuation in waiting.values { continuation.resume() }
        waiting = [:]
    }

    private func wait() async {
        guard isReading else { return }
        waiters += 1
        let number = waiters
        let alarm = Task { [patience] in
            try? await Task.sleep(for: patience)
            wake(number)
        }
        await withCheckedContinuation { waiting[number] = $0 }
        alarm.cancel()
    }

    private func wake(_ number: Int) { waiting.removeValue(forKey: number)?.resume() }
}

/// A part of a page: what was read, or why it couldn't be.
enum Part<Value: Sendable>: Sendable {
    case read(Value)
    case failed(String)

    /// Reads a part; an error is part of the page and doesn't keep the others from being shown.
    static func reading(_ body: () async throws -> Value) async -> Part {
        do { return .read(try await body()) } catch { return .failed("\(error)") }
    }

    var value: Value? { if case .read(let value) = self { value } else { nil } }
}
