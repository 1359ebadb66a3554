import Foundation

/// Telemetry as OpenTelemetry's own variables of the environment configure it.
///
/// Without `OTEL_EXPORTER_OTLP_ENDPOINT`, an endpoint of one kind or `OTEL_…_EXPORTER=otlp` nothing is sent. A value that can't
/// be understood counts as if it weren't there, as OpenTelemetry has it, and stands among the ``faults``.
public struct TelemetryEnvironment: Sendable {
    /// The settings.
    public private(set) var settings: TelemetrySettings
    /// What is wrong with the environment, a sentence each, without values that may be secret.
    public private(set) var faults: [String] = []
    private let values: [String: String]

    /// Reads an environment.
    /// - Parameters:
    ///   - environment: The variables.
    ///   - serviceName: The service's name, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` has one.
    ///   - serviceVersion: The service's version.
    public init(_ environment: [String: String], serviceName: String, serviceVersion: String? = nil) {
        // Empty is the same as absent, OpenTelemetry says.
        values = environment.filter { $0.key.hasPrefix("OTEL_") && !$0.value.isEmpty }
        settings = TelemetrySettings(serviceName: serviceName)
        settings.resource["service.instance.id"] = UUID().uuidString.lowercased()
        settings.resource["telemetry.sdk.language"] = "swift"
        settings.resource["telemetry.sdk.name"] = "dionysus"
        if let serviceVersion { settings.resource["service.version"] = serviceVersion }
        settings.resource.merge(pairs("OTEL_RESOURCE_ATTRIBUTES")) { $1 }
        if let name = values["OTEL_SERVICE_NAME"] { settings.resource["service.name"] = name }
        if flag("OTEL_SDK_DISABLED") {
            settings.servesMetrics = false
            return
        }
        readExporters()
        readSampler()
        readNumbers()
    }

    private mutating func readExporters() {
        let metrics = exporters("METRICS", ["otlp", "prometheus"])
        settings.servesMetrics = metrics?.isEmpty != true
        if sends("METRICS", metrics) { settings.metrics = endpoint("METRICS", "v1/metrics") }
        if sends("TRACES", exporters("TRACES", ["otlp"])) { settings.traces = endpoint("TRACES", "v1/traces") }
        if sends("LOGS", exporters("LOGS", ["otlp"])) { settings.logs = endpoint("LOGS", "v1/logs") }
        if let propagators = values["OTEL_PROPAGATORS"], !list(propagators).contains("tracecontext") {
            faults.append("OTEL_PROPAGATORS lacks tracecontext, which is the only one there is here")
        }
    }

    /// - Returns: Nil if nothing is said.
    private mutating func exporters(_ signal: String, _ known: [String]) -> [String]? {
        let name = "OTEL_\(signal)_EXPORTER"
        guard let text = values[name] else { return nil }
        let names = list(text)
        for unknown in names where unknown != "none" && !known.contains(unknown) {
            faults.append("\(name) has to be \((known + ["none"]).joined(separator: ", "))")
            if names.count == 1 { return nil }
        }
        return names.filter(known.contains)
    }

    private func sends(_ signal: String, _ exporters: [String]?) -> Bool {
        exporters?.contains("otlp")
            ?? (values["OTEL_EXPORTER_OTLP_ENDPOINT"] != nil || values["OTEL_EXPORTER_OTLP_\(signal)_ENDPOINT"] != nil)
    }

    private mutating func endpoint(_ signal: String, _ path: String) -> OTLPEndpoint {
        /// A variable of the kind, or else of all.
        func name(_ suffix: String) -> String? {
            ["OTEL_EXPORTER_OTLP_\(signal)_\(suffix)", "OTEL_EXPORTER_OTLP_\(suffix)"].first { values[$0] != nil }
        }
        let base = values["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "http://localhost:4318"
        var endpoint = OTLPEndpoint(
            url: values["OTEL_EXPORTER_OTLP_\(signal)_ENDPOINT"] ?? base + (base.hasSuffix("/") ? "" : "/") + path
        )
        if let name = name("HEADERS") {
            endpoint.headers = Dictionary(pairs(name).map { ($0.key.lowercased(), $0.value) }) { $1 }
        }
        if let name = name("TIMEOUT"), let timeout = milliseconds(name) { endpoint.timeout = timeout }
        if let name = name("COMPRESSION"), let value = values[name] {
            endpoint.compresses = value == "gzip"
            if !["gzip", "none"].contains(value) { fault("\(name) has to be gzip or none") }
        }
        if let name = name("PROTOCOL"), values[name] != "http/protobuf" {
            fault("\(name) has to be http/protobuf, which is spoken to the collector now")
        }
        endpoint.authoritiesFile = name("CERTIFICATE").flatMap { values[$0] }
        endpoint.certificateFile = name("CLIENT_CERTIFICATE").flatMap { values[$0] }
        endpoint.keyFile = name("CLIENT_KEY").flatMap { values[$0] }
        return endpoint
    }

    private mutating func readSampler() {
        guard let name = values["OTEL_TRACES_SAMPLER"] else { return }
        let argument = values["OTEL_TRACES_SAMPLER_ARG"]
        if let sampler = Sampler(name, argument: argument) {
            settings.sampler = sampler
        } else if argument != nil, let sampler = Sampler(name, argument: nil) {
            settings.sampler = sampler
            faults.append("OTEL_TRACES_SAMPLER_ARG has to be a number from 0 to 1")
        } else {
            faults.append(
                "OTEL_TRACES_SAMPLER has to be always_on, always_off or traceidratio, or one of them behind parentbased_"
            )
        }
    }

    private mutating func readNumbers() {
        if let interval = milliseconds("OTEL_METRIC_EXPORT_INTERVAL") { settings.metricInterval = interval }
        if let limit = milliseconds("OTEL_BSP_EXPORT_TIMEOUT") { settings.retries.limit = limit }
        read("BSP", into: \.spanQueue)
        read("BLRP", into: \.logQueue)
        if let count = number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT") ?? number("OTEL_ATTRIBUTE_COUNT_LIMIT") {
            settings.spanLimits.attributes = count
        }
        if let count = number("OTEL_SPAN_EVENT_COUNT_LIMIT") { settings.spanLimits.events = count }
        if let count = number("OTEL_SPAN_LINK_COUNT_LIMIT") { settings.spanLimits.links = count }
        if let count = number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT") ?? number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT") {
            settings.spanLimits.valueLength = count
        }
        switch values["OTEL_METRICS_EXEMPLAR_FILTER"] {
        case nil, "trace_based": break
        case "always_off": settings.hasExemplars = false
        default: faults.append("OTEL_METRICS_EXEMPLAR_FILTER has to be trace_based or always_off")
        }
    }

    private mutating func read(
        _ prefix: String,
        into queue: WritableKeyPath<TelemetrySettings, TelemetrySettings.Queue>
    ) {
        if let capacity = number("OTEL_\(prefix)_MAX_QUEUE_SIZE") { settings[keyPath: queue].capacity = capacity }
        if let size = number("OTEL_\(prefix)_MAX_EXPORT_BATCH_SIZE") { settings[keyPath: queue].batchSize = size }
        if let delay = milliseconds("OTEL_\(prefix)_SCHEDULE_DELAY") { settings[keyPath: queue].delay = delay }
        if settings[keyPath: queue].batchSize > settings[keyPath: queue].capacity {
            settings[keyPath: queue].batchSize = settings[keyPath: queue].capacity
        }
    }

    // MARK: Values

    private mutating func fault(_ text: String) {
        // A variable for all kinds is read for each.
        if !faults.contains(text) { faults.append(text) }
    }

    private func flag(_ name: String) -> Bool { values[name]?.lowercased() == "true" }

    private mutating func number(_ name: String) -> Int? {
        guard let text = values[name] else { return nil }
        // A billion is beyond every sensible one, and far from where arithmetic ends.
        if let number = Int(text), (1...1_000_000_000).contains(number) { return number }
        fault("\(name) has to be a whole number above 0")
        return nil
    }

    private mutating func milliseconds(_ name: String) -> Duration? { number(name).map { .milliseconds($0) } }

    /// Pairs as W3C Baggage writes them: `name=value,name=value`, with percent-encoded values.
    private mutating func pairs(_ name: String) -> [String: String] {
        var pairs: [String: String] = [:]
        for pair in list(values[name] ?? "") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count == 2, !parts[0].isEmpty, let value = parts[1].removingPercentEncoding else {
                fault("\(name) has to be pairs: name=value,name=value")
                return [:]
            }
            pairs[parts[0]] = value
        }
        return pairs
    }

    private func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
