import Dionysus

/// A model as the file declares it.
struct FileModel: Sendable {
    let name: String
    let place: Place
    let table: String
    let primaryKey: String
    let softDeleteColumn: String?
    let publishesUpdatesAfterSoftDelete: Bool
    let updatesAfterSoftDelete: ColumnCondition?
    let changeset: ChangesetContent
    let capture: CaptureMethod
    /// Its columns in their order; nil if they are to be read from the database.
    var columns: [ModelColumn]?
    /// Where the columns are named, for faults.
    let columnsPlace: Place

    init(_ entry: FileNode.Entry, _ faults: FileFaults) {
        let node = entry.value
        name = entry.name
        place = entry.place
        let declared = node["table"]?.text
        table = declared ?? Inflection().plural(of: Inflection.underscored(entry.name))
        primaryKey = node["key"]?.text ?? "id"
        softDeleteColumn = node["soft_delete"]?.text
        let later = node["publish_after_soft_delete"]
        publishesUpdatesAfterSoftDelete = later?.flag ?? false
        updatesAfterSoftDelete = later?["column"]?.text
            .map { ColumnCondition($0, isAnyOf: later?["any_of"]?.items.compactMap(\.text) ?? []) }
        let polls = node["polls"]?.items ?? []
        capture = polls.isEmpty ? node["capture"]?.text.flatMap(CaptureMethod.init) ?? .triggers : .polling
        if !polls.isEmpty, let place = node["capture"]?.place {
            faults.add(place, "the model is polled, so that nobody else captures its changes")
        }
        changeset = node["changeset"]?.text.flatMap(ChangesetContent.init) ?? .minimal
        columnsPlace = node["columns"]?.place ?? entry.place
        // A column of a wrong type is there all the same.
        columns = node["columns"]?.entries
            .map { column in
                let type = DeclaredType(column.value, faults)
                return ModelColumn(name: column.name, kind: type?.kind ?? .any, isOptional: type?.isOptional ?? true)
            }
        if let columns, !columns.contains(where: { $0.name == primaryKey }),
            node["key"]?.text != nil || !faults.touch(entry)
        {
            faults.add(columnsPlace, "the columns of \(name) lack its key \(primaryKey)")
        }
    }

    var description: ModelDescription {
        ModelDescription(
            name: name,
            table: table,
            primaryKey: primaryKey,
            softDeleteColumn: softDeleteColumn,
            publishesUpdatesAfterSoftDelete: publishesUpdatesAfterSoftDelete,
            updatesAfterSoftDelete: updatesAfterSoftDelete,
            captureMethod: capture,
            changeset: changeset,
            columns: columns ?? []
        )
    }

    /// Adds a fault if a column that is named somewhere isn't there, as far as the columns are known.
    func expect(_ column: String, at place: Place, _ faults: FileFaults) {
        guard let columns, !columns.contains(where: { $0.name == column }) else { return }
        faults.add(
            place,
            "\(name) has no column \(column.printable())\(NearMiss.suggestion(for: column, among: columns.map(\.name)))"
        )
    }
}
