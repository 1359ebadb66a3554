import Dionysus

/// A table that SQL attributes read, and the ways from its rows to the records that are published.
struct DerivedObserver: Sendable, Hashable {
    /// The model whose attributes read the table.
    let model: ModelDescription
    /// The attribute.
    let attribute: String
    let table: String
    /// The columns that are read; none if only the number of rows counts.
    let columns: [String]
    /// The ways to the table of the records that are published.
    let ways: [[AssociationHop]]
}

extension DerivedObserver: CustomStringConvertible {
    var description: String {
        let columns = columns.isEmpty ? "its rows" : columns.joined(separator: ", ")
        let ways = ways.map { way in
            zip([table] + way.map(\.otherTable), way)
                .map { "\($0).\($1.column) = \($1.otherTable).\($1.otherColumn)" }
                .joined(separator: ", ")
        }
        return
            "model \(model), attribute \(attribute): observes \(table) (\(columns)) by \(ways.joined(separator: " and by "))"
    }
}

/// What SQL attributes of one publication read.
struct SQLReads: Sendable {
    var observers: [DerivedObserver] = []
    /// The columns that are read of the records' own rows, by model.
    var ownColumns: [ModelDescription: [String]] = [:]
}

extension Registry.Publication {
    /// What the database computes for its records and their parts.
    var sqlAttributes: [(model: ModelDescription, attribute: SQLAttribute)] {
        serialized.flatMap { model in plan(for: model).allSQLAttributes.map { (model, $0.attribute) } }
    }
}

extension Registry {
    /// The declaration with the observers of its SQL attributes, as the database derives them.
    ///
    /// What can't be derived is among its faults.
    func withDerivedObservers(from database: some Database) async throws -> Registry {
        guard publications.contains(where: { !$0.sqlAttributes.isEmpty }) else { return self }
        return try await database.transaction(.write) { transaction in
            let derivation = try ObserverDerivation(self, in: &transaction)
            var faults: [String] = []
            let reads = try publications.map { publication in
                try derivation.reads(of: publication, &faults, in: &transaction)
            }
            return deriving(reads, faults: faults.withoutRepetitions)
        }
    }
}
