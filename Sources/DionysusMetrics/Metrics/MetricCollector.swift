public import CoreMetrics
import Logging
import Synchronization

/// Collects metrics in memory, to be scraped or sent.
///
///     let metrics = MetricCollector()
///     MetricsSystem.bootstrap(metrics)
///     …
///     let page = metrics.exposition(accepting: request.headers[.accept])
///
/// Recording takes no lock. The memory is bounded by ``MetricLimits``, whatever metrics are labelled with. What is made
/// under one name as two kinds, or under names that Prometheus can't tell apart, is collected only as what came first,
/// and the log says so once.
public final class MetricCollector: MetricsFactory {
    fileprivate struct Entry {
        let series: any Series
        /// How often it was made and not destroyed.
        var uses: Int
    }

    fileprivate struct Family {
        let kind: MetricSnapshot.Kind
        /// What its series are: a counter of whole numbers is no counter of fractions.
        let type: ObjectIdentifier
        let description: MetricDescription
        let prometheusName: String
        var series: [Attributes: Entry] = [:]
        var overflow: (any Series)?
    }

    fileprivate struct State {
        var families: [String: Family] = [:]
        /// The names of Prometheus' samples, and whose they are.
        var names: [String: String] = ["target": "", "target_info": ""]
        var refused: Set<String> = []
    }

    private let limits: MetricLimits
    private let bounds: HistogramBounds
    private let descriptions: [String: MetricDescription]
    private let hasExemplars: Bool
    private let resource: Resource
    private let logger: Logger
    private let state = Mutex(State())

    /// Creates an empty collector.
    /// - Parameters:
    ///   - limits: How much metrics may take.
    ///   - bounds: Where the buckets of distributions end.
    ///   - descriptions: What metrics of the application's own are about, by name.
    ///   - hasExemplars: Whether buckets keep the trace of one of their values.
    ///   - resource: Who collects, as OpenTelemetry describes it: `service.name` and others.
    package convenience init(
        limits: MetricLimits = MetricLimits(),
        bounds: HistogramBounds = HistogramBounds(),
        descriptions: [String: MetricDescription] = [:],
        hasExemplars: Bool = false,
        resource: [String: String] = [:]
    ) {
        self.init(
            limits: limits,
            bounds: bounds,
            descriptions: descriptions,
            hasExemplars: hasExemplars,
            resource: Resource(resource),
            logger: Logger(label: "dionysus.metrics")
        )
    }

    init(
        limits: MetricLimits,
        bounds: HistogramBounds,
        descriptions: [String: MetricDescription],
        hasExemplars: Bool,
        resource: Resource,
        logger: Logger
    ) {
        self.limits = limits
        self.bounds = bounds
        self.descriptions = MetricDescription.own.merging(descriptions) { $1 }
        self.hasExemplars = hasExemplars
        self.resource = resource
        self.logger = logger
    }

    // MARK: Making

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries($0) }
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { FloatingPointCounterSeries($0) }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries($0) }
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { GaugeSeries($0) } }
        let bounds = bounds.of(label, bounds.recorders)
        return series(label, dimensions, .histogram) { [hasExemplars] in
            DistributionSeries($0, bounds: bounds, hasExemplars: hasExemplars)
        }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let bounds = bounds.of(label, bounds.timers)
        return series(label, dimensions, .histogram) { [hasExemplars] in
            TimerSeries($0, bounds: bounds, hasExemplars: hasExemplars)
        }
    }

    private func series<S: Series>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricSnapshot.Kind,
        _ make: (SeriesIdentity) -> S
    ) -> S {
        let attributes = Attributes(dimensions, longest: limits.valueLength)
        let (found, refusal): (S?, String?) = state.withLock { state in
            if state.families[label] == nil, let refusal = open(label, kind, S.self, in: &state) {
                return (nil, state.refuse(label, limits.metrics) ? refusal : nil)
            }
            guard state.families[label]?.type == ObjectIdentifier(S.self) else {
                let refusal = "it is made as another kind of metric elsewhere"
                return (nil, state.refuse(label, limits.metrics) ? refusal : nil)
            }
            return (state.families[label]?.use(attributes, label, limits.seriesPerMetric, make), nil)
        }
        if let refusal { logger.warning("the metric \(label) isn't collected: \(refusal)") }
        // Where it isn't collected, whoever records has to have somewhere to do so.
        return found ?? make(SeriesIdentity(label: label, attributes: attributes))
    }

    /// Begins a metric.
    /// - Returns: Why that can't be, if it can't.
    private func open<S: Series>(
        _ label: String,
        _ kind: MetricSnapshot.Kind,
        _ type: S.Type,
        in state: inout State
    ) -> String? {
        guard state.families.count < limits.metrics else { return "there are \(limits.metrics) metrics already" }
        var description = descriptions[label] ?? MetricDescription(label)
        if type == TimerSeries.self { description.unit = "s" }
        let name = PrometheusName.metric(label, unit: description.unit, kind)
        let names = PrometheusName.samples(name, kind)
        if let other = names.compactMap({ state.names[$0] }).first {
            return "Prometheus can't tell it from \(other.isEmpty ? "target_info" : other)"
        }
        for name in names { state.names[name] = label }
        state.families[label] = Family(
            kind: kind,
            type: ObjectIdentifier(type),
            description: description,
            prometheusName: name
        )
        return nil
    }

    // MARK: Ending

    public func destroyCounter(_ handler: any CounterHandler) { release(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { release(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { release(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { release(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { release(handler) }

    private func release(_ handler: AnyObject) {
        guard let series = handler as? any Series else { return }
        let (label, attributes) = (series.identity.label, series.identity.attributes)
        state.withLock { state in
            guard let entry = state.families[label]?.series[attributes], entry.series === series else { return }
            if entry.uses > 1 {
                state.families[label]?.series[attributes]?.uses -= 1
            } else {
                state.families[label]?.series[attributes] = nil
            }
        }
    }

    // MARK: Reading

    /// All metrics that have something to tell, by name.
    func snapshot() -> [MetricSnapshot] {
        let families = state.withLock { $0.families }
        return families.sorted { $0.key < $1.key }
            .compactMap { label, family in
                let series = family.series.values.map(\.series) + (family.overflow.map { [$0] } ?? [])
                let points = series.compactMap { $0.point() }
                guard !points.isEmpty else { return nil }
                return MetricSnapshot(
                    label: label,
                    kind: family.kind,
                    description: family.description,
                    prometheusName: family.prometheusName,
                    points: points.sorted { $0.attributes < $1.attributes }
                )
            }
    }

    /// All metrics as text, for Prometheus and whatever else reads its formats.
    /// - Parameter accepted: The value of the request's `Accept` header, by which OpenMetrics can be asked for.
    /// - Returns: The text and its content type.
    public func exposition(accepting accepted: String? = nil) -> Exposition {
        Exposition(snapshot(), resource, Exposition.Format(accepting: accepted))
    }
}

extension MetricCollector.State {
    /// - Returns: Whether that is new, as far as is remembered.
    fileprivate mutating func refuse(_ label: String, _ limit: Int) -> Bool {
        refused.count < limit && refused.insert(label).inserted
    }
}

extension MetricCollector.Family {
    fileprivate mutating func use<S: Series>(
        _ attributes: Attributes,
        _ label: String,
        _ limit: Int,
        _ make: (SeriesIdentity) -> S
    ) -> S? {
        if let known = series[attributes]?.series as? S {
            series[attributes]?.uses += 1
            return known
        }
        if series.count >= limit {
            let rest = overflow as? S ?? make(SeriesIdentity(label: label, attributes: .overflow))
            overflow = rest
            return rest
        }
        let new = make(SeriesIdentity(label: label, attributes: attributes))
        series[attributes] = MetricCollector.Entry(series: new, uses: 1)
        return new
    }
}

extension Attributes: Comparable {
    static func < (left: Attributes, right: Attributes) -> Bool {
        for (left, right) in zip(left.pairs, right.pairs) where left != right {
            return (left.name, left.value) < (right.name, right.value)
        }
        return left.pairs.count < right.pairs.count
    }
}
