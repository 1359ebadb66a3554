import Dionysus
import Synchronization

/// Remembers what was asked for, and asks once for all who ask at the same time.
final class SchemaCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Flight {
        let number: Int
        let task: Task<Value, any Error>
        var waiters: Int
    }

    private struct State {
        var values: [Key: (value: Value, until: ContinuousClock.Instant?)] = [:]
        /// The keys from the oldest, which is forgotten first.
        var order: [Key] = []
        var flights: [Key: Flight] = [:]
        var flightsBegun = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let lifetime: Duration?

    /// - Parameters:
    ///   - capacity: How many values are remembered.
    ///   - lifetime: How long each is; nil for always.
    init(capacity: Int, lifetime: Duration? = nil) {
        self.capacity = max(capacity, 1)
        self.lifetime = lifetime
    }

    /// What is remembered.
    subscript(key: Key) -> Value? { state.withLock { Self.value(key, $0) } }

    private static func value(_ key: Key, _ state: State) -> Value? {
        guard let entry = state.values[key] else { return nil }
        if let until = entry.until, until <= .now { return nil }
        return entry.value
    }

    /// What is remembered, or else what is loaded.
    ///
    /// Failures aren't remembered. A load is cancelled once everybody who waits for it is.
    func value(_ key: Key, load: @escaping @Sendable () async throws -> Value) async throws -> Value {
        if let value = self[key] { return value }
        let flight: Flight? = state.withLock { state in
            if Self.value(key, state) != nil { return nil }
            state.flights[key]?.waiters += 1
            if let flight = state.flights[key] { return flight }
            state.flightsBegun += 1
            let number = state.flightsBegun
            let flight = Flight(number: number, task: Task { try await self.land(key, number, load) }, waiters: 1)
            state.flights[key] = flight
            return flight
        }
        guard let flight else { return try await value(key, load: load) }
        return try await withTaskCancellationHandler {
            try await flight.task.value
        } onCancel: {
            let task: Task<Value, any Error>? = state.withLock { state in
                guard state.flights[key]?.number == flight.number else { return nil }
                state.flights[key]?.waiters -= 1
                guard state.flights[key]?.waiters == 0 else { return nil }
                return state.flights.removeValue(forKey: key)?.task
            }
            task?.cancel()
        }
    }

    private func land(_ key: Key, _ number: Int, _ load: @Sendable () async throws -> Value) async throws -> Value {
        let result: Result<Value, any Error>
        do { result = .success(try await load()) } catch { result = .failure(error) }
        state.withLock { state in
            if state.flights[key]?.number == number { state.flights[key] = nil }
            if case .success(let value) = result { insert(value, key, &state) }
        }
        return try result.get()
    }

    /// Remembers a value.
    func insert(_ value: Value, for key: Key) { state.withLock { insert(value, key, &$0) } }

    private func insert(_ value: Value, _ key: Key, _ state: inout State) {
        if state.values.updateValue((value, lifetime.map { .now + $0 }), forKey: key) == nil {
            state.order.append(key)
            if state.order.count > capacity { state.values[state.order.removeFirst()] = nil }
        }
    }

    /// Forgets everything, but not what is being loaded.
    func removeAll() {
        state.withLock { state in
            state.values = [:]
            state.order = []
        }
    }
}
