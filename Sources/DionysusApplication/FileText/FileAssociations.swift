import Dionysus

/// The associations of a declaration under the names that a file needs for them.
struct FileAssociations {
    /// An association under its name.
    private struct Named {
        let name: String
        let branches: [AssociationDescription]
        let key: String
        let value: JSON.Object
    }

    private let models: [ModelDescription]
    private var named: [String: [Named]] = [:]

    init(_ models: [ModelDescription]) { self.models = models }

    /// The associations of a model: for each key of the file those under it.
    func members(of model: ModelDescription) -> [JSON.Object.Member] {
        ["belongs_to", "has_one", "has_many"]
            .compactMap { key in
                let own = (named[model.name] ?? []).filter { $0.key == key }
                guard !own.isEmpty else { return nil }
                return .init(key, .object(.init(own.map { .init($0.name, .object($0.value)) })))
            }
    }

    /// The name of the association that an association is, or that it is a way of.
    func name(of association: AssociationDescription) -> (name: String, branches: [AssociationDescription])? {
        named[association.source.name]?.first { $0.branches.contains(association) }.map { ($0.name, $0.branches) }
    }

    /// Names a link's association.
    /// - Parameter preferred: The name that it has if nothing else has it.
    /// - Returns: The name; nil if a file can't say it.
    mutating func add(_ branches: [AssociationDescription], preferring preferred: String?) -> String? {
        guard let first = branches.first else { return nil }
        if let known = named[first.source.name]?.first(where: { $0.branches == branches }) { return known.name }
        if first.hops.count == 1 { return addStep(branches, preferring: preferred) }
        guard branches.count == 1, let steps = steps(of: first), let last = steps.last else { return nil }
        let before = steps.dropLast().reduce(AssociationDescription?.none) { way, step in way?.appending(step) ?? step }
        guard let before, let through = add([before], preferring: nil), let source = add([last], preferring: nil) else {
            return nil
        }
        let name = free(preferred ?? source, in: first.source)
        var value: JSON.Object = ["through": .string(through)]
        if source != name { value["source"] = .string(source) }
        return insert(Named(name: name, branches: branches, key: first.isToMany ? "has_many" : "has_one", value: value))
    }

    /// The names along a way, with dots between; nil if a file can't say it.
    mutating func path(_ association: AssociationDescription) -> String? {
        if let known = name(of: association), known.branches.count == 1 { return known.name }
        guard let steps = steps(of: association) else { return nil }
        var names: [String] = []
        for step in steps {
            guard let name = add([step], preferring: nil) else { return nil }
            names.append(name)
        }
        return names.joined(separator: ".")
    }

    /// The steps of a way, each between two models.
    private func steps(of association: AssociationDescription) -> [AssociationDescription]? {
        var current = association.source
        var steps: [AssociationDescription] = []
        for (index, hop) in association.hops.enumerated() {
            let isLast = index == association.hops.count - 1
            guard let next = isLast ? association.target : models.first(where: { $0.table == hop.otherTable }) else {
                return nil
            }
            let isBelongsTo = hop.otherColumn == next.primaryKey && hop.column != current.primaryKey
            steps.append(
                AssociationDescription(
                    source: current,
                    target: next,
                    hops: [hop],
                    isToMany: association.isToMany && !isBelongsTo
                )
            )
            current = next
        }
        return steps.contains(where: \.isToMany) == association.isToMany ? steps : nil
    }

    private mutating func addStep(_ branches: [AssociationDescription], preferring preferred: String?) -> String? {
        guard let first = branches.first, let hop = first.hops.first else { return nil }
        let (source, target) = (first.source, first.target)
        if let condition = hop.condition, condition.side == .source {
            let isSayable = branches.allSatisfy { branch in
                branch.hops.count == 1 && branch.hops[0].column == hop.column
                    && branch.hops[0].condition == .init(.source, condition.column, branch.target.name)
                    && branch.hops[0].otherColumn == branch.target.primaryKey
            }
            guard isSayable else { return nil }
            let value: JSON.Object = [
                "models": .array(branches.map { .string($0.target.name) }), "column": .string(hop.column),
                "type": .string(condition.column),
            ]
            let name = free(preferred ?? Self.base(hop.column, target), in: source)
            return insert(Named(name: name, branches: branches, key: "belongs_to", value: value))
        }
        guard branches.count == 1 else { return nil }
        var value: JSON.Object = ["model": .string(target.name)]
        if first.isBelongsTo, hop.condition == nil {
            let name = free(preferred ?? Self.base(hop.column, target), in: source)
            if hop.column != "\(name)_id" { value["column"] = .string(hop.column) }
            return insert(Named(name: name, branches: branches, key: "belongs_to", value: value))
        }
        guard hop.column == source.primaryKey, hop.condition.map({ $0.value == source.name }) ?? true else {
            return nil
        }
        let table = target.table.split(separator: ".").last.map(String.init) ?? target.table
        let name = free(preferred ?? (first.isToMany ? table : target.singular), in: source)
        if hop.otherColumn != "\(source.singular)_id" { value["column"] = .string(hop.otherColumn) }
        if let condition = hop.condition { value["type"] = .string(condition.column) }
        return insert(
            Named(name: name, branches: branches, key: first.isToMany ? "has_many" : "has_one", value: value)
        )
    }

    private static func base(_ column: String, _ target: ModelDescription) -> String {
        column.hasSuffix("_id") && column.count > 3 ? String(column.dropLast(3)) : target.singular
    }

    private func free(_ name: String, in model: ModelDescription) -> String {
        let taken = (named[model.name] ?? []).map(\.name)
        let plain = name.replacing(".", with: "_")
        return ([plain] + (2...(taken.count + 2)).map { "\(plain)_\($0)" }).first { !taken.contains($0) } ?? plain
    }

    private mutating func insert(_ association: Named) -> String? {
        guard let model = association.branches.first?.source.name else { return nil }
        named[model, default: []].append(association)
        return association.name
    }
}
