/// Names as Prometheus takes them, made of OpenTelemetry's by OpenTelemetry's rules.
enum PrometheusName {
    /// The name of a metric without a counter's `_total`: `dionysus_relay_stage_duration_seconds`.
    static func metric(_ label: String, unit: String, _ kind: MetricSnapshot.Kind) -> String {
        var name = clean(label, allowsColon: true)
        if kind == .counter, name.hasSuffix("_total") { name.removeLast("_total".count) }
        let suffix = kind == .gauge && unit == "1" ? "ratio" : word(forUnit: unit)
        if let suffix, name != suffix, !name.hasSuffix("_" + suffix) { name += "_" + suffix }
        return name
    }

    /// The unit as a word: `seconds`; nil for none.
    static func word(forUnit unit: String) -> String? {
        // In braces stands what is counted, which is no unit.
        let plain = unit.replacing(#/\{[^}]*\}/#, with: "")
        let words = ["s": "seconds", "ms": "milliseconds", "By": "bytes", "1": "", "%": "percent"]
        let word = words[plain] ?? clean(plain, allowsColon: false)
        return plain.isEmpty || word.isEmpty ? nil : word
    }

    /// The name of a label: `messaging_destination_name`.
    static func label(_ name: String) -> String {
        let name = clean(name, allowsColon: false)
        // Two underscores are Prometheus' own, and le is the buckets'.
        return name.hasPrefix("__") || name == "le" || name == "quantile" ? "key_" + name : name
    }

    /// The names that a metric's samples have.
    static func samples(_ name: String, _ kind: MetricSnapshot.Kind) -> [String] {
        switch kind {
        case .counter: [name, name + "_total"]
        case .gauge: [name]
        case .histogram: [name, name + "_bucket", name + "_count", name + "_sum"]
        }
    }

    private static func clean(_ text: String, allowsColon: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9": name.unicodeScalars.append(scalar)
            case ":" where allowsColon: name.unicodeScalars.append(scalar)
            case "_" where name.isEmpty || name == "_": name += "_"
            default: if name.last != "_" { name += "_" }
            }
        }
        while name.count > 1, name.hasSuffix("_") { name.removeLast() }
        guard let first = name.unicodeScalars.first else { return "_" }
        return ("0"..."9").contains(first) ? "_" + name : name
    }
}
