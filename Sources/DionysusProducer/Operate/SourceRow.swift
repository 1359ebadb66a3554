package import Dionysus

/// A record as its table has it.
package struct SourceRow: Sendable {
    /// The table.
    package let table: String
    /// The columns in the table's order, each with its value as text; nil for null.
    package let values: [(column: String, text: String?)]
}

extension Registry {
    /// Looks a record up in the database.
    /// - Parameters:
    ///   - modelName: The name of a model that is published, is part of one, or is observed.
    ///   - id: The record's primary key.
    /// - Returns: The record; nil if there is none.
    /// - Throws: ``DionysusError``: `notFound` for a model that isn't declared, `malformed` for an id that no record can
    ///   have, and as for a transaction.
    package func sourceRow(
        of modelName: String,
        id: String,
        in database: any CapturingDatabase
    ) async throws -> SourceRow? {
        guard let model = model(named: modelName) else {
            throw DionysusError(
                .notFound,
                "the producer has no model \(modelName)",
                advice: "name a model that is published, is part of one, or is observed"
            )
        }
        let catalogue = try await Catalogue.read(for: self, from: database)
        let key = try catalogue.recordKey(id, of: model)
        let columns = catalogue[model.table]?.columns.map(\.name) ?? []
        return try await database.transaction(.snapshot) { transaction in
            let dialect = transaction.dialect
            let texts = columns.map { dialect.asText("t.\(identifier: $0)") }.joined(separator: ", ")
            let isRecord = dialect.isAnyKey(
                "t.\(identifier: model.primaryKey)",
                of: key.candidates(id),
                type: key.type
            )
            try transaction.run(database.outbox.seeingAllRows())
            let found = try transaction.run(
                "SELECT \(texts) FROM \(identifier: model.table) t WHERE \(isRecord) LIMIT 1"
            )
            guard let row = found.first else { return nil }
            return SourceRow(
                table: model.table,
                values: try columns.enumerated().map { ($1, try row.text($0)) }
            )
        }
    }

    /// A model that is published, is part of one, or is observed.
    private func model(named name: String) -> ModelDescription? {
        for publication in publications {
            if publication.model.name == name { return publication.model }
            if let part = publication.dependencies.first(where: { $0.target.name == name }) { return part.target }
            if let observed = publication.observations.first(where: { $0.model.name == name }) { return observed.model }
        }
        return nil
    }
}

extension Registry {
    /// The column of a model's primary key.
    package func primaryKey(of modelName: String) -> String? { model(named: modelName)?.primaryKey }
}
