import Dionysus

/// The models of a file, and the associations between them.
struct FileModels: Sendable {
    /// An association: one way to other records, or several to those of different models.
    struct Association: Sendable {
        let name: String
        let branches: [AssociationDescription]
        let isPolymorphic: Bool

        var isToMany: Bool { branches.contains(where: \.isToMany) }
    }

    private(set) var models: [FileModel] = []
    private var associations: [String: [Association]] = [:]
    /// The models with mistakes, which may have what is looked for.
    private var damaged: Set<String>
    private let areDamaged: Bool

    init(_ root: FileNode?, _ known: [String: [ModelColumn]], _ faults: FileFaults) {
        let entries = root?["models"]?.entries ?? []
        damaged = Set(entries.filter(faults.touch).map(\.name))
        areDamaged = faults.mayBe("models", in: root)
        models = entries.map { entry in
            var model = FileModel(entry, faults)
            model.columns = model.columns ?? known[model.table]
            return model
        }
        for entry in entries { readDirect(entry, faults) }
        for entry in entries { readThrough(entry, faults) }
    }

    /// A model by its name; adds a fault if there is none.
    func model(_ name: String, at place: Place, _ faults: FileFaults) -> FileModel? {
        if let model = models.first(where: { $0.name == name }) { return model }
        if areDamaged { return nil }
        let suggestion = NearMiss.suggestion(for: name, among: models.map(\.name))
        faults.add(place, "there is no model \(name.printable())\(suggestion)")
        return nil
    }

    /// An association of a model by its name; adds a fault if there is none.
    func association(_ name: String, of model: String, at place: Place, _ faults: FileFaults) -> Association? {
        let own = associations[model] ?? []
        if let association = own.first(where: { $0.name == name }) { return association }
        if damaged.contains(model) { return nil }
        let suggestion = NearMiss.suggestion(for: name, among: own.map(\.name))
        faults.add(place, "\(model) has no association \(name.printable())\(suggestion)")
        return nil
    }

    /// The way along associations from a model, their names with dots between.
    func path(
        _ names: String,
        from model: FileModel,
        at place: Place,
        _ faults: FileFaults
    ) -> AssociationDescription? {
        var path: AssociationDescription?
        var current = model.name
        for name in names.split(separator: ".", omittingEmptySubsequences: false) {
            guard let step = single(String(name), of: current, at: place, faults) else { return nil }
            path = path.map { $0.appending(step) } ?? step
            current = step.target.name
        }
        return path
    }

    // MARK: Reading

    private mutating func add(_ association: Association, of model: String, at place: Place, _ faults: FileFaults) {
        if associations[model, default: []].contains(where: { $0.name == association.name }) {
            return faults.add(place, "\(model) has another association \(association.name)")
        }
        associations[model, default: []].append(association)
    }

    private mutating func readDirect(_ entry: FileNode.Entry, _ faults: FileFaults) {
        guard let source = models.first(where: { $0.name == entry.name }) else { return }
        for association in entry.value["belongs_to"]?.entries ?? [] {
            readBelongsTo(association, source, faults)
            if faults.touch(association) { damaged.insert(source.name) }
        }
        for (key, isToMany) in [("has_one", false), ("has_many", true)] {
            for association in entry.value[key]?.entries ?? [] where association.value["through"] == nil {
                readOwning(association, source, isToMany: isToMany, faults)
                if faults.touch(association) { damaged.insert(source.name) }
            }
        }
    }

    private mutating func readBelongsTo(_ entry: FileNode.Entry, _ source: FileModel, _ faults: FileFaults) {
        let node = entry.value
        let column = node["column"]?.text ?? "\(entry.name)_id"
        source.expect(column, at: node["column"]?.place ?? entry.place, faults)
        let type = node["type"]?.text
        let names = node["models"]?.items ?? []
        guard names.isEmpty != (node["model"] == nil) else {
            faults.add(entry.place, "belongs_to needs either a model, or several models and the column type")
            return
        }
        if let type { source.expect(type, at: node["type"]?.place ?? entry.place, faults) }
        guard names.isEmpty == (type == nil) else {
            faults.add(entry.place, "several models and the column type belong together")
            return
        }
        let targets = (names.isEmpty ? [node["model"]].compactMap(\.self) : names)
            .compactMap { name in name.text.flatMap { model($0, at: name.place, faults) } }
        let branches = targets.map { target in
            AssociationDescription(
                source: source.description,
                target: target.description,
                hops: [
                    AssociationHop(
                        column: column,
                        otherTable: target.table,
                        otherColumn: target.primaryKey,
                        condition: type.map { .init(.source, $0, target.name) }
                    )
                ],
                isToMany: false
            )
        }
        guard !branches.isEmpty else { return }
        let association = Association(name: entry.name, branches: branches, isPolymorphic: type != nil)
        add(association, of: source.name, at: entry.place, faults)
    }

    private mutating func readOwning(
        _ entry: FileNode.Entry,
        _ source: FileModel,
        isToMany: Bool,
        _ faults: FileFaults
    ) {
        let node = entry.value
        guard let name = node["model"] else {
            return faults.add(entry.place, "\(entry.name.printable()) lacks model, or through")
        }
        guard let target = name.text.flatMap({ model($0, at: name.place, faults) }) else { return }
        let column = node["column"]?.text ?? "\(Inflection.underscored(source.name))_id"
        target.expect(column, at: node["column"]?.place ?? entry.place, faults)
        let type = node["type"]?.text
        if let type { target.expect(type, at: node["type"]?.place ?? entry.place, faults) }
        let description = AssociationDescription(
            source: source.description,
            target: target.description,
            hops: [
                AssociationHop(
                    column: source.primaryKey,
                    otherTable: target.table,
                    otherColumn: column,
                    condition: type.map { .init(.target, $0, source.name) }
                )
            ],
            isToMany: isToMany
        )
        let association = Association(name: entry.name, branches: [description], isPolymorphic: false)
        add(association, of: source.name, at: entry.place, faults)
    }

    private mutating func readThrough(_ entry: FileNode.Entry, _ faults: FileFaults) {
        for (key, isToMany) in [("has_one", false), ("has_many", true)] {
            for association in entry.value[key]?.entries ?? [] where association.value["through"] != nil {
                if let way = way(through: association, of: entry.name, faults) {
                    if way.isToMany == isToMany {
                        let found = Association(name: association.name, branches: [way], isPolymorphic: false)
                        add(found, of: entry.name, at: association.place, faults)
                    } else {
                        let kind = way.isToMany ? "many records: has_many" : "one record: has_one"
                        faults.add(association.place, "it leads to \(kind)")
                    }
                }
                if faults.touch(association) { damaged.insert(entry.name) }
            }
        }
    }

    private func way(
        through entry: FileNode.Entry,
        of model: String,
        _ faults: FileFaults
    ) -> AssociationDescription? {
        guard let through = entry.value["through"], let name = through.text else { return nil }
        guard entry.value["model"] == nil, entry.value["column"] == nil else {
            faults.add(entry.place, "through excludes model and column")
            return nil
        }
        let source = entry.value["source"]
        let place = source?.place ?? entry.place
        guard let first = single(name, of: model, at: through.place, faults),
            let last = single(source?.text ?? entry.name, of: first.target.name, at: place, faults)
        else { return nil }
        return first.appending(last)
    }

    /// The only way that an association is.
    private func single(
        _ name: String,
        of model: String,
        at place: Place,
        _ faults: FileFaults
    ) -> AssociationDescription? {
        guard let found = association(name, of: model, at: place, faults) else { return nil }
        if found.branches.count == 1 { return found.branches.first }
        faults.add(place, "\(name.printable()) leads to several models, so that no way can go along it")
        return nil
    }
}
