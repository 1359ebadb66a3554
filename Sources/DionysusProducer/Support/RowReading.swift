import Dionysus

extension ResultSet {
    /// The lanes that a query has found, in its first column.
    func lanes() throws -> [Int] { try rows.compactMap { try $0.integer(0).map(Int.init) } }
}

extension Row {
    /// A sum, which PostgreSQL returns as a decimal.
    func count(_ column: Int) throws -> Int64 {
        guard case .integer(let value) = try self[column].converted(to: .integer) else { return 0 }
        return value
    }

    func double(_ column: Int) throws -> Double? {
        guard case .double(let value) = try self[column].converted(to: .double) else { return nil }
        return value
    }
}
