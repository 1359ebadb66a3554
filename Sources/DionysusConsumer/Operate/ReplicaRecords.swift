package import Dionysus

/// Repairs records of a replica that no longer take what their source says.
///
///     let records = ReplicaRecords(RentalMirror(), database: database, settings: settings)
///     try await records.forgetVersion(of: "Rental", id: "5")
///
/// It can be used while consumers run.
package struct ReplicaRecords: Sendable {
    let database: any Database
    private let catalogue: ReplicaCatalogue
    private let factory: ModelFactory
    private let inflection: Inflection

    /// Creates it.
    /// - Parameters:
    ///   - settings: The settings, which name the columns that Dionysus fills.
    package init(
        _ consumer: some Consumer,
        database: any Database,
        settings: ConsumerSettings = ConsumerSettings()
    ) {
        self.database = database
        factory = ModelFactory(consumer, settings)
        inflection = settings.inflection
        catalogue = ReplicaCatalogue(database: database, factory: factory, settings: settings, logger: nil)
    }

    /// Forgets how recent a record is, and that it was destroyed, so that it takes the next message about it whatever its
    /// version and time.
    ///
    /// It heals a record that took a message with a version or a time that no honest one can have: publish the record
    /// again afterwards. Its other columns stay. The same is forgotten of the members of relationships that the
    /// replica replaces or links, because they came along in the record's messages.
    /// - Parameters:
    ///   - model: The model's name on the wire.
    ///   - id: The record's id at the source, as text.
    /// - Returns: What was forgotten.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if the model has no replica, or if nothing is known of the record;
    ///   `malformed` if the id can't be one of the replica's; `declaration` if the tables are missing; and as for a
    ///   transaction.
    @discardableResult
    package func forgetVersion(of model: String, id: String) async throws -> ForgottenVersions {
        let targets = try await targets(of: model, id)
        guard !targets.isEmpty else {
            throw DionysusError(
                .notFound,
                "the model \(model) has no replica in the database",
                advice: "name a model as it is on the wire, such as BookingsFee"
            )
        }
        let forgotten = try await database.transaction(.write) { transaction in
            guard try transaction.describe(table: "dionysus_tombstones") != nil else {
                throw DionysusError(.declaration, "there is no table dionysus_tombstones", advice: "run migrate first")
            }
            var forgotten = ForgottenVersions()
            for target in targets { try target.forget(&forgotten, in: &transaction) }
            return forgotten
        }
        guard forgotten.records + forgotten.destructions > 0 else {
            throw DionysusError(
                .notFound,
                "the replica knows nothing of \(model) \(id)",
                advice: "name the record by its id at the source"
            )
        }
        return forgotten
    }

    /// The tables that keep the model, in whatever namespace, with what they can forget.
    private func targets(of model: String, _ id: String) async throws -> [VersionedRecord] {
        var targets: [VersionedRecord] = []
        for (namespace, table, value) in try await places(of: model, id) {
            let members = try await members(of: table, namespace)
            targets.append(VersionedRecord(table: table, id: value, members: members))
        }
        return targets
    }

    /// The tables that keep the model, in whatever namespace, and the record's id there.
    func places(
        of model: String,
        _ id: String
    ) async throws -> [(namespace: String?, table: ReplicaTable, id: DatabaseValue)] {
        var places: [(namespace: String?, table: ReplicaTable, id: DatabaseValue)] = []
        for namespace in factory.scopes.map(\.namespace) {
            guard let table = try await catalogue.replicas(of: [model], in: namespace).tables[model],
                !places.contains(where: { $0.table.name == table.name })
            else { continue }
            guard let value = try? table.id.value(for: .string(id)), !value.isNull else {
                throw DionysusError(
                    .malformed,
                    "the id can't be one of table \(table.name), whose \(table.id.name) is \(table.id.declaredType)",
                    advice: "name the record by its id at the source"
                )
            }
            places.append((namespace, table, value))
        }
        return places
    }

    private func members(of table: ReplicaTable, _ namespace: String?) async throws -> [VersionedRecord.Members] {
        var members: [VersionedRecord.Members] = []
        for (name, policy) in table.declaration.associations.sorted(by: { $0.key < $1.key }) {
            let names = Set([inflection.singular(of: name), name].map(inflection.camelized))
            let tables = try await catalogue.replicas(of: names, in: namespace).tables.values
            for table in Dictionary(tables.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }).values {
                members.append(VersionedRecord.Members(table: table, policy: policy))
            }
        }
        return members
    }
}

/// What ``ReplicaRecords/forgetVersion(of:id:)`` has forgotten.
package struct ForgottenVersions: Sendable, Hashable {
    /// How many rows of the record no longer say how recent they are.
    package internal(set) var records = 0
    /// How many rows of records that came along in its messages don't either.
    package internal(set) var members = 0
    /// How many destructions of the record are no longer remembered.
    package internal(set) var destructions = 0
}

/// A record in the table of a replica.
private struct VersionedRecord: Sendable {
    /// A table with records that come along in the record's messages.
    struct Members: Sendable {
        let table: ReplicaTable
        let policy: AssociationPolicy
    }

    let table: ReplicaTable
    let id: DatabaseValue
    let members: [Members]

    func forget(_ forgotten: inout ForgottenVersions, in transaction: inout Transaction) throws {
        let isRecord: SQL = "\(identifier: table.id.name) = \(id)"
        forgotten.records += try Self.forget(in: table, where: isRecord, &transaction)
        for member in members {
            guard let condition = member.condition(parent: id) else { continue }
            forgotten.members += try Self.forget(in: member.table, where: condition, &transaction)
        }
        let removal: SQL = """
            DELETE FROM dionysus_tombstones WHERE replica = \(table.name) AND record_id = \(id.recordID)
            """
        forgotten.destructions += try transaction.run(removal).affectedRows
    }

    private static func forget(
        in table: ReplicaTable,
        where condition: SQL,
        _ transaction: inout Transaction
    ) throws -> Int {
        let dialect = transaction.dialect
        let start = Timestamp(microseconds: 0)
        // The next message tells them again.
        let oldest: [(column: ReplicaColumn?, value: SQL)] = [
            (table.version, "0"), (table.updatedAt, "\(start)"), (table.createdAt, "\(start)"),
        ]
        let assignments = oldest.compactMap { column, value -> SQL? in
            guard let column else { return nil }
            let isNullable = column.description.isNullable
            let new = isNullable ? "NULL" : dialect.assignable(value, to: column.description)
            return "\(identifier: column.name) = \(new)"
        }
        guard !assignments.isEmpty else { return 0 }
        return
            try transaction.run(
                "UPDATE \(identifier: table.name) SET \(assignments.joined(separator: ", ")) WHERE \(condition)"
            )
            .affectedRows
    }
}

extension VersionedRecord.Members {
    /// What holds for the members of a record; nil if the tables lack a column for it.
    func condition(parent: DatabaseValue) -> SQL? {
        switch policy {
        case .replace(let foreignKey):
            guard table.columns[foreignKey] != nil else { return nil }
            return "\(identifier: foreignKey) = \(parent)"
        case .join(let joinTable, let parentColumn, let memberColumn):
            return """
                \(identifier: table.id.name) IN (
                  SELECT \(identifier: memberColumn) FROM \(identifier: joinTable)
                  WHERE \(identifier: parentColumn) = \(parent))
                """
        }
    }
}
