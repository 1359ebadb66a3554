import CoreMetrics
import Synchronization
import Tracing

/// Which metric a series belongs to, and what tells it from the others.
struct SeriesIdentity: Sendable {
    let label: String
    let attributes: Attributes
}

/// A series of a metric.
///
/// Recording takes no lock.
protocol Series: AnyObject, Sendable {
    var identity: SeriesIdentity { get }
    /// What it is now; nil if nothing was recorded that could be told.
    func point() -> MetricPoint?
}

/// The time now, in nanoseconds since 1970.
func now() -> UInt64 { DefaultTracerClock.now.nanosecondsSinceEpoch }

/// A counter of whole numbers.
final class CounterSeries: Series, CounterHandler {
    let identity: SeriesIdentity
    private let value = Atomic<Int64>(0)
    private let start = Atomic<UInt64>(now())

    init(_ identity: SeriesIdentity) { self.identity = identity }

    func increment(by amount: Int64) {
        // A counter that falls would look like one that has begun again.
        guard amount > 0 else { return }
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        start.store(now(), ordering: .relaxed)
        value.store(0, ordering: .relaxed)
    }

    func point() -> MetricPoint? {
        MetricPoint(
            attributes: identity.attributes,
            start: start.load(ordering: .relaxed),
            value: .integer(value.load(ordering: .relaxed))
        )
    }
}

/// A counter of fractions.
final class FloatingPointCounterSeries: Series, FloatingPointCounterHandler {
    let identity: SeriesIdentity
    private let value = AtomicDouble()
    private let start = Atomic<UInt64>(now())

    init(_ identity: SeriesIdentity) { self.identity = identity }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.add(amount)
    }

    func reset() {
        start.store(now(), ordering: .relaxed)
        value.set(0)
    }

    func point() -> MetricPoint? {
        MetricPoint(
            attributes: identity.attributes,
            start: start.load(ordering: .relaxed),
            value: .double(value.value)
        )
    }
}

/// A value that goes up and down.
final class GaugeSeries: Series, RecorderHandler, MeterHandler {
    let identity: SeriesIdentity
    private let value = AtomicDouble()
    private let isSet = Atomic(false)
    private let start = now()

    init(_ identity: SeriesIdentity) { self.identity = identity }

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }

    func set(_ new: Double) {
        value.set(new)
        isSet.store(true, ordering: .releasing)
    }

    func increment(by amount: Double) {
        value.add(amount)
        isSet.store(true, ordering: .releasing)
    }

    func decrement(by amount: Double) { increment(by: -amount) }

    func point() -> MetricPoint? {
        // Zero would be a lie where nothing was measured yet.
        guard isSet.load(ordering: .acquiring) else { return nil }
        return MetricPoint(attributes: identity.attributes, start: start, value: .double(value.value))
    }
}

/// A distribution of durations.
final class TimerSeries: Series, TimerHandler {
    let identity: SeriesIdentity
    private let buckets: Buckets
    /// The bounds in nanoseconds.
    private let bounds: [Int64]
    private let sum = Atomic<Int64>(0)

    init(_ identity: SeriesIdentity, bounds: [Double], hasExemplars: Bool) {
        self.identity = identity
        self.bounds = bounds.map { Int64($0 * 1e9) }
        buckets = Buckets(bounds, hasExemplars: hasExemplars)
    }

    func recordNanoseconds(_ duration: Int64) {
        // A clock that was set back.
        let duration = max(0, duration)
        buckets.count(in: bounds.place(of: duration)) { Double(duration) / 1e9 }
        sum.wrappingAdd(duration, ordering: .relaxed)
    }

    func point() -> MetricPoint? {
        buckets.point(identity.attributes, sum: Double(sum.load(ordering: .relaxed)) / 1e9)
    }
}

/// A distribution of values.
final class DistributionSeries: Series, RecorderHandler {
    let identity: SeriesIdentity
    private let buckets: Buckets
    private let bounds: [Double]
    private let sum = AtomicDouble()

    init(_ identity: SeriesIdentity, bounds: [Double], hasExemplars: Bool) {
        self.identity = identity
        self.bounds = bounds
        buckets = Buckets(bounds, hasExemplars: hasExemplars)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        // One of them would make the sum useless for good.
        guard value.isFinite else { return }
        buckets.count(in: bounds.place(of: value)) { value }
        sum.add(value)
    }

    func point() -> MetricPoint? { buckets.point(identity.attributes, sum: sum.value) }
}

/// How many values there were between bounds.
private struct Buckets: Sendable {
    /// A bucket has a line of the processor's cache to itself, more or less, because it is an object.
    private final class Bucket: Sendable {
        let count = Atomic<Int64>(0)
        let exemplar = Mutex<Exemplar?>(nil)
    }

    private let bounds: [Double]
    private let buckets: [Bucket]
    private let hasExemplars: Bool
    private let start = now()

    init(_ bounds: [Double], hasExemplars: Bool) {
        self.bounds = bounds
        self.hasExemplars = hasExemplars
        buckets = (0...bounds.count).map { _ in Bucket() }
    }

    /// - Parameters:
    ///   - place: Which bucket.
    ///   - value: The value, which is asked for only if it is needed.
    func count(in place: Int, _ value: () -> Double) {
        let bucket = buckets[place]
        bucket.count.wrappingAdd(1, ordering: .relaxed)
        guard hasExemplars, let context = ServiceContext.current?.spanContext, context.isSampled else { return }
        let exemplar = Exemplar(value: value(), time: now(), context: context)
        // Any one will do, so nobody waits for it.
        _ = bucket.exemplar.withLockIfAvailable { $0 = exemplar }
    }

    func point(_ attributes: Attributes, sum: Double) -> MetricPoint {
        let value = HistogramValue(
            bounds: bounds,
            counts: buckets.map { $0.count.load(ordering: .relaxed) },
            sum: sum,
            exemplars: hasExemplars ? buckets.map { $0.exemplar.withLock { $0 } } : []
        )
        return MetricPoint(attributes: attributes, start: start, value: .histogram(value))
    }
}

extension [Int64] {
    /// The place of the first that is not less.
    fileprivate func place(of value: Int64) -> Int { place { $0 < value } }
}

extension [Double] {
    /// The place of the first that is not less.
    fileprivate func place(of value: Double) -> Int { place { $0 < value } }
}

extension Array {
    /// The place of the first for which that is not so, in an array that begins with those for which it is.
    @inline(__always)
    private func place(_ isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// A number that several threads change.
private struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, current) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = current
        }
    }
}
