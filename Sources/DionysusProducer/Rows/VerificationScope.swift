import Dionysus

/// What a verification run compares replicas with.
struct VerificationScope: Sendable, Hashable {
    /// Drawn before any key is read: what was published with it, or with a lower one, had been created by then.
    var version: Int64
    /// The first primary key as text; nil for no limit.
    var from: String?
    /// The last primary key as text; nil for no limit.
    var to: String?

    /// Whether it has all records of the model.
    var isWhole: Bool { from == nil && to == nil }

    private static let originPrefix = "verification:"

    /// What rows of the outbox have as their origin.
    static func origin(ofRun id: Int64) -> String { "\(originPrefix)\(id)" }

    /// The number of the run that has written a row with an origin.
    static func run(ofOrigin origin: String) -> String? {
        guard origin.hasPrefix(originPrefix) else { return nil }
        let number = origin.dropFirst(originPrefix.count)
        return Int64(number) == nil ? nil : String(number)
    }

    /// The condition that a key is in the scope, from `AND` on.
    func sql(key: SQL, type: DatabaseType) throws -> SQL {
        let lower: SQL = try from.map { " AND \(key) >= \(try Self.bound($0, type))" } ?? ""
        let upper: SQL = try to.map { " AND \(key) <= \(try Self.bound($0, type))" } ?? ""
        return "\(lower)\(upper)"
    }

    private static func bound(_ text: String, _ type: DatabaseType) throws -> DatabaseValue {
        let value = DatabaseValue(primaryKey: text, type: type)
        guard value != .null else {
            throw DionysusError(
                .configuration,
                "a bound of the verification is no primary key of the model",
                advice: "give ids"
            )
        }
        return value
    }

    var json: JSON {
        var object: JSON.Object = ["version": .integer(version)]
        object["from"] = from.map(JSON.string)
        object["to"] = to.map(JSON.string)
        return .object(object)
    }

    /// Reads what ``json`` has written.
    init(json: JSON) {
        version = if case .integer(let version)? = json["version"] { version } else { 0 }
        from = json["from"]?.text(or: nil)
        to = json["to"]?.text(or: nil)
    }

    init(version: Int64, from: String?, to: String?) {
        self.version = version
        self.from = from
        self.to = to
    }
}
