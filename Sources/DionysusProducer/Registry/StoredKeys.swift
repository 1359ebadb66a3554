import Dionysus

/// How a table's primary keys are stored, in a database that keeps any value in any column.
///
/// The first and the last of them are looked at: such a database sorts keys by their types before their values.
struct StoredKeys {
    /// What is wrong with them, and what to do; nil if nothing shows.
    let problem: String?
    /// The type by which they are compared.
    let type: DatabaseType

    /// Looks the keys up.
    /// - Returns: nil where columns hold values of their types only, or if there is no such column.
    init?(of model: ModelDescription, _ table: TableDescription, in transaction: inout Transaction) throws {
        guard let column = table.column(model.primaryKey) else { return nil }
        let key: SQL = "t.\(identifier: column.name)"
        guard let storedType = transaction.dialect.storedType(of: key) else { return nil }
        let ends = ["ASC", "DESC"]
            .map { order -> SQL in
                """
                SELECT * FROM (
                  SELECT \(storedType) FROM \(identifier: table.name) t WHERE \(key) IS NOT NULL
                  ORDER BY \(key) \(raw: order) LIMIT 1
                )
                """
            }
        let found = Set(try transaction.run(ends.joined(separator: " UNION ALL ")).rows.compactMap { try $0.text(0) })
        let isUUID = model.isKnownByUUID
        let declared = column.keyType(hasUUIDs: false)
        type = isUUID && found == ["blob"] ? .bytes : declared
        let wanted: Set<String> = declared == .integer ? ["integer"] : isUUID ? ["text", "blob"] : ["text"]
        let wrong = found.subtracting(wanted).sorted().map { $0 == "blob" ? "bytes" : $0 }
        let place =
            "table \(table.name) has primary keys in column \(column.name), of type \(column.declaredType), that are "
        if let wrong = wrong.first {
            let right = declared == .integer ? "integers" : isUUID ? "UUIDs" : "text"
            problem =
                place
                + "stored as \(wrong), so that their records can't be published: store \(right), or change the types of "
                + "the column and of the property"
        } else if found.count > 1 {
            problem = place + "stored as text and others as bytes: store all of them in one of the two ways"
        } else {
            problem = nil
        }
    }
}
