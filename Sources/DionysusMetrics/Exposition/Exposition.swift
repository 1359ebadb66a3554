/// Metrics as text, as they are scraped.
public struct Exposition: Sendable, Hashable {
    /// A format of the text.
    enum Format: Sendable, Hashable, CaseIterable {
        /// Prometheus' own, 0.0.4.
        case prometheus
        /// OpenMetrics 1.0.
        case openMetrics

        var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// What the text is: the value of `Content-Type`.
    public let contentType: String
    /// The text.
    public let body: String

    init(_ metrics: [MetricSnapshot], _ resource: Resource, _ format: Format) {
        contentType = format.contentType
        var writer = ExpositionWriter(format)
        writer.write(resource)
        for metric in metrics { writer.write(metric) }
        body = writer.finish()
    }
}

extension Exposition.Format {
    /// What a request's `Accept` header asks for; Prometheus' own format if it says nothing.
    init(accepting accepted: String?) {
        var best = (format: Self.prometheus, quality: 0.0)
        for entry in (accepted ?? "").split(separator: ",") {
            let parts = entry.split(separator: ";").map { $0.trimming() }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimming().lowercased() }
                if pair.count == 2 { parameters[pair[0]] = pair[1] }
            }
            let quality = min(1, Double(parameters["q"] ?? "1") ?? 0)
            let format: Self? =
                switch parts.first?.lowercased() {
                case "application/openmetrics-text":
                    ["1.0.0", nil].contains(parameters["version"]) ? .openMetrics : nil
                case "text/plain", "text/*", "*/*": .prometheus
                default: nil
                }
            if let format, quality > best.quality { best = (format, quality) }
        }
        self = best.format
    }
}

extension Substring {
    fileprivate func trimming() -> Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

/// Writes metrics in one of the formats.
private struct ExpositionWriter {
    private let format: Exposition.Format
    private var text = ""

    init(_ format: Exposition.Format) { self.format = format }

    mutating func finish() -> String {
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    mutating func write(_ resource: Resource) {
        guard !resource.attributes.isEmpty else { return }
        let isOpen = format == .openMetrics
        head(isOpen ? "target" : "target_info", isOpen ? "info" : "gauge", "The service that is measured", unit: nil)
        sample("target_info", Self.labels(resource.attributes), "1")
    }

    mutating func write(_ metric: MetricSnapshot) {
        let name = metric.prometheusName
        let unit = PrometheusName.word(forUnit: metric.description.unit).flatMap { name.hasSuffix("_" + $0) ? $0 : nil }
        let help = metric.description.help
        switch metric.kind {
        case .counter:
            head(format == .openMetrics ? name : name + "_total", "counter", help, unit: unit)
            for point in metric.points { write(point, name + "_total") }
        case .gauge:
            head(name, "gauge", help, unit: unit)
            for point in metric.points { write(point, name) }
        case .histogram:
            head(name, "histogram", help, unit: unit)
            for point in metric.points { write(point, name) }
        }
    }

    private mutating func write(_ point: MetricPoint, _ name: String) {
        let labels = Self.labels(point.attributes.pairs)
        switch point.value {
        case .integer(let value): sample(name, labels, "\(value)")
        case .double(let value): sample(name, labels, Self.number(value))
        case .histogram(let value):
            var total: Int64 = 0
            for (place, count) in value.counts.enumerated() {
                total += count
                let bound = place < value.bounds.count ? Self.number(value.bounds[place]) : "+Inf"
                let exemplar = place < value.exemplars.count ? value.exemplars[place] : nil
                sample(name + "_bucket", labels + [#"le="\#(bound)""#], "\(total)", exemplar)
            }
            sample(name + "_sum", labels, Self.number(value.sum))
            // The same number as the last bucket's, whatever was recorded meanwhile.
            sample(name + "_count", labels, "\(total)")
        }
    }

    private mutating func head(_ name: String, _ type: String, _ help: String, unit: String?) {
        text += "# HELP \(name) \(escaped(help, quotes: format == .openMetrics))\n"
        text += "# TYPE \(name) \(type)\n"
        if format == .openMetrics, let unit { text += "# UNIT \(name) \(unit)\n" }
    }

    private mutating func sample(_ name: String, _ labels: [String], _ value: String, _ exemplar: Exemplar? = nil) {
        text += name
        if !labels.isEmpty { text += "{\(labels.joined(separator: ","))}" }
        text += " \(value)"
        if format == .openMetrics, let exemplar {
            let context = exemplar.context
            let seconds = "\(exemplar.time / 1_000_000_000)"
            let fraction = "\(exemplar.time % 1_000_000_000 / 1_000_000 + 1_000)".dropFirst()
            text += #" # {trace_id="\#(context.traceID)",span_id="\#(context.spanID)"} "#
            text += "\(Self.number(exemplar.value)) \(seconds).\(fraction)"
        }
        text += "\n"
    }

    /// Labels of which several attributes become one, have the values of all.
    private static func labels(_ attributes: [Attributes.Pair]) -> [String] {
        var names: [String] = []
        var values: [String: String] = [:]
        for pair in attributes {
            let name = PrometheusName.label(pair.name)
            if let value = values[name] {
                values[name] = value + ";" + pair.value
            } else {
                names.append(name)
                values[name] = pair.value
            }
        }
        return names.map { name in #"\#(name)="\#(escaped(values[name] ?? "", quotes: true))""# }
    }

    private static func number(_ value: Double) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
    }
}

private func escaped(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": escaped += "\\\\"
        case "\n": escaped += "\\n"
        case "\"" where quotes: escaped += "\\\""
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}
