import Dionysus
import DionysusConsumer
import DionysusProducer

/// A record's values on both sides, beside each other.
extension RecordReport {
    static func comparisons(
        _ source: SourceRow?,
        _ preview: MessagePreview?,
        _ replica: ReplicaRow?,
        _ mask: Mask
    ) -> [Comparison] {
        var used: Set<String> = []
        var result: [Comparison] = []
        let published = preview.flatMap { Self.members(of: $0) }
        let names = published?.members.map(\.name) ?? source?.values.map(\.column) ?? []
        for name in names {
            let value = published?[name]
            if case .object? = value { continue }
            let text = value.map(Self.text) ?? source?.values.first { $0.column == name }?.text
            let column = replica?.values.first { $0.attributes.contains(name) }
            if let column { used.insert(column.column) }
            let aliases: [String] = column.map { [name, $0.column] + $0.attributes } ?? [name]
            result.append(
                Comparison(
                    name: name,
                    source: mask.applied(to: text, of: aliases),
                    replica: mask.applied(to: column?.text, of: aliases),
                    isSame: column.map { Self.isSame(text, $0.text) }
                )
            )
        }
        for value in replica?.values ?? [] where !used.contains(value.column) {
            let aliases: [String] = [value.column] + value.attributes
            result.append(
                Comparison(
                    name: value.column,
                    source: nil,
                    replica: mask.members.isEmpty || !value.column.hasSuffix("data")
                        ? mask.applied(to: value.text, of: aliases) : Mask.hidden,
                    isSame: nil,
                    isReplicasOwn: true
                )
            )
        }
        return result
    }

    /// The attributes of the record in a message of its own.
    private static func members(of preview: MessagePreview) -> JSON.Object? {
        guard let document = try? JSON(parsing: preview.value), case .array(let events)? = document["message"],
            case .array(let records)? = events.first?["data"], case .object(let object)? = records.first
        else {
            guard case .object(let object)? = try? JSON(parsing: preview.value) else { return nil }
            return object["message"] == nil ? object : nil
        }
        return object
    }

    private static func text(_ json: JSON) -> String? {
        switch json {
        case .null: nil
        case .string(let text): text
        default: json.text
        }
    }

    /// Whether texts mean the same, however each side writes times, numbers and truth.
    static func isSame(_ left: String?, _ right: String?) -> Bool {
        guard let left, let right else { return left == right }
        if left == right { return true }
        if let first = moment(left), let second = moment(right) { return first == second }
        if let first = Double(left), let second = Double(right) { return first == second }
        let truth = ["true": "1", "t": "1", "false": "0", "f": "0"]
        if (truth[left] ?? left) == (truth[right] ?? right) { return true }
        if let first = try? JSON(parsing: Array(left.utf8)), let second = try? JSON(parsing: Array(right.utf8)) {
            return first == second
        }
        return false
    }

    static func moment(_ text: String) -> Timestamp? {
        guard text.utf8.count > 10 else { return nil }
        if let time = Timestamp(text) { return time }
        let parts = text.replacing(" ", with: "T")
        if let time = Timestamp(parts) ?? Timestamp(parts + "Z") { return time }
        // PostgreSQL leaves out the minutes of a zone.
        return Timestamp(parts + ":00")
    }
}
