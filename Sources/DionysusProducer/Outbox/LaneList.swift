import Dionysus

extension ResultSet {
    /// The lanes that a query has found, in its first column.
    func lanes() throws -> [Int] { try rows.compactMap { try $0.integer(0).map(Int.init) } }
}
