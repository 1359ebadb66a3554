import Dionysus

/// Whether a column of a replica can hold what a published attribute of a type is on the wire.
enum AttributeFit: Equatable {
    case fits
    /// Every message but one with null would fail.
    case never
    /// With the values that don't fit.
    case sometimes(String)

    init(_ kind: ValueKind, in column: ReplicaColumn) {
        guard !column.isList else {
            self = .ofList(kind)
            return
        }
        switch column.type {
        // They take everything.
        case .text, .json: self = .fits
        case .bool: self = kind == .bool ? .fits : .scalar(kind, otherThan: "true and false")
        case .integer, .double, .decimal: self = .number(kind, column.type)
        case .timestamp: self = kind == .time || kind == .date ? .fits : .written(kind, as: "times")
        case .uuid: self = kind == .uuid ? .fits : .written(kind, as: "UUIDs")
        case .bytes: self = kind == .uuid || kind == .bytes ? .fits : .written(kind, as: "base64")
        }
    }

    private static func ofList(_ kind: ValueKind) -> AttributeFit {
        switch kind {
        case .list, .document, .any: .fits
        default: .never
        }
    }

    private static func number(_ kind: ValueKind, _ type: DatabaseType) -> AttributeFit {
        switch kind {
        case .integer, .document, .any: .fits
        case .double, .float, .decimal: type == .integer ? .sometimes("numbers with a fraction") : .fits
        case .text: .sometimes("text that is no number")
        case .bool, .uuid, .url, .bytes, .time, .date, .list, .object: .never
        }
    }

    private static func scalar(_ kind: ValueKind, otherThan values: String) -> AttributeFit {
        switch kind {
        case .integer, .text: .sometimes("values other than \(values)")
        case .document, .any: .fits
        default: .never
        }
    }

    /// A type that is read out of a text.
    private static func written(_ kind: ValueKind, as values: String) -> AttributeFit {
        switch kind {
        case .text: .sometimes("text that is none of \(values)")
        case .document, .any: .fits
        default: .never
        }
    }
}

extension ReplicaCheck {
    /// Published attributes that their columns can't hold, a line each.
    /// - Returns: What makes every message fail, and what makes some fail.
    func misfits(
        of published: [PublishedAttributes],
        in transaction: inout Transaction
    ) throws -> (faults: [String], warnings: [String]) {
        var (faults, warnings): ([String], [String]) = ([], [])
        for publication in published {
            guard let (_, replica, _) = try replica(of: publication, in: &transaction) else { continue }
            let place = "topic \(publication.topic), model \(publication.model)"
            for attribute in publication.attributes {
                guard let kind = publication.kinds[attribute], let column = replica.column(ofAttribute: attribute)
                else { continue }
                let held =
                    "\(place): column \(column.name) of table \(replica.name) is of type \(column.declaredType), and the "
                    + "attribute \(attribute) is \(kind)"
                switch AttributeFit(kind, in: column) {
                case .fits: continue
                case .never:
                    faults.append("\(held), which it can't hold: change the column's type, or rename the attribute")
                case .sometimes(let values): warnings.append("\(held): messages with \(values) fail")
                }
            }
        }
        return (faults, warnings)
    }

    /// Columns that Dionysus fills and that can't hold what comes, a line each.
    func systemColumnFaults(_ replica: ReplicaTable, _ place: String) -> [String] {
        func fault(_ column: ReplicaColumn?, _ takes: Set<DatabaseType>, _ what: String, _ remedy: String) -> String? {
            guard let column, column.isList || !takes.contains(column.type) else { return nil }
            return "\(place) has a column \(column.name) of the type \(column.declaredType), which can't hold \(what): "
                + "give it the type \(remedy)"
        }
        let times =
            [replica.createdAt, replica.updatedAt, replica.canceledAt, replica.localCreatedAt]
            + [replica.localUpdatedAt]
        return [
            fault(replica.id, [.integer, .decimal, .text, .uuid, .bytes], "the ids of records", "of the source's key"),
            fault(replica.data, [.json, .text], "payloads", "json or text"),
        ]
        .compactMap(\.self) + times.compactMap { fault($0, [.timestamp, .text], "times", "timestamp or text") }
    }
}
