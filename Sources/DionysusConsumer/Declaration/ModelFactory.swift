import Dionysus

/// How remote models are kept, by the declaration.
struct ModelFactory: Sendable {
    /// Replicas that are declared in one place.
    struct Scope: Sendable {
        /// The namespace whose models they are; nil for all.
        let namespace: String?
        let models: [ReplicaModel]

        /// The scope as a part of a sentence, behind a model's name.
        var place: String { namespace.map { " in namespace \($0)" } ?? "" }
    }

    /// All declared replicas.
    let scopes: [Scope]
    private let byName: [String?: [String: ReplicaModel]]
    private let choose: @Sendable (String) -> ReplicaModel?
    private let inflection: Inflection
    private let settings: ConsumerSettings

    init(_ consumer: some Consumer, _ settings: ConsumerSettings) {
        let namespaces = Dictionary(grouping: consumer.namespaces.filter { !$0.models.isEmpty }, by: \.name)
            .map { name, parts in Scope(namespace: name, models: parts.flatMap(\.models)) }
        scopes =
            [Scope(namespace: nil, models: consumer.models)]
            + namespaces.sorted { ($0.namespace ?? "") < ($1.namespace ?? "") }
        byName = scopes.reduce(into: [:]) { scopes, scope in
            scopes[scope.namespace] = Dictionary(scope.models.map { ($0.remoteName, $0) }, uniquingKeysWith: { $1 })
        }
        choose = { consumer.replica(for: $0) }
        inflection = settings.inflection
        self.settings = settings
    }

    /// The namespace if models are kept there in its own way, else nil.
    ///
    /// What is found out for nil holds for all other namespaces.
    func scope(of namespace: String?) -> String? { namespace.flatMap { byName[$0] == nil ? nil : $0 } }

    /// How a model is kept, or nil if it isn't.
    func replica(of model: String, in namespace: String?) -> ReplicaModel? {
        let listed = namespace.flatMap { byName[$0]?[model] } ?? byName[nil]?[model]
        guard var chosen = listed ?? (Self.isPlausible(model) ? choose(model) : nil) else { return nil }
        chosen.remoteName = model
        if chosen.isConventional { return conventional(chosen).map(endedAsSettingsSay) }
        return chosen.table == nil && chosen.customStorage == nil ? nil : endedAsSettingsSay(chosen)
    }

    private func endedAsSettingsSay(_ model: ReplicaModel) -> ReplicaModel {
        guard model.endsAsSettingsSay, let table = model.table else { return model }
        var model = model
        model.softDeletes = settings.softDeletes
        if let cancelling = settings.cancelling {
            let name = model.remoteName
            model.cancelling = { ids, transaction in
                try cancelling(CanceledRecords(model: name, table: table, ids: ids), &transaction)
            }
        }
        return model
    }

    /// Whether a model is listed as one that is not kept.
    func ignores(_ model: String, in namespace: String?) -> Bool {
        guard let listed = namespace.flatMap({ byName[$0]?[model] }) ?? byName[nil]?[model] else { return false }
        return listed.table == nil && listed.customStorage == nil && !listed.isConventional
    }

    /// The table of a model that is listed, or else that of the convention, whether it is there or not.
    ///
    /// It doesn't ask the application, which answers for each name once.
    func expectedTable(of model: String, in namespace: String?) -> String? {
        if let listed = namespace.flatMap({ byName[$0]?[model] }) ?? byName[nil]?[model], !listed.isConventional {
            return listed.table
        }
        return conventional(.conventional(model))?.table
    }

    /// Whether a name can be a model's: names come from messages, which may hold anything.
    static func isPlausible(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// Whether a name can be that of a type: letters and digits, with the modules of a Ruby class before it.
    private static func isTypeName(_ name: String) -> Bool {
        name.replacing("::", with: "_").utf8
            .allSatisfy { byte in
                byte == UInt8(ascii: "_") || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
            }
    }

    private func conventional(_ model: ReplicaModel) -> ReplicaModel? {
        let name = model.remoteName
        // Names from messages reach the catalogue of the database only if they can be the name of a type.
        guard Self.isTypeName(name), Self.isPlausible(name) else { return nil }
        var found = ReplicaModel(remoteName: name, table: inflection.plural(of: inflection.underscored(name)))
        found.isConventional = true
        return found
    }
}
