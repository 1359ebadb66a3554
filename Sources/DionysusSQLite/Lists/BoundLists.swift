import Dionysus
import GRDB
import GRDBSQLite

/// Lists that are bound to a statement, for a ``ListTable``.
final class BoundLists {
    /// Tells SQLite and the table what the pointer is to.
    private static let pointerType: StaticString = "dionysus-lists"

    let columns: [[Dionysus.DatabaseValue]]
    /// The texts of a single row that are lent to SQLite, by column; none if nothing is lent.
    private(set) var lentTexts: [UnsafeBufferPointer<UInt8>?] = []

    /// - Returns: Nil for a value that is not a list of lists.
    init?(_ value: Dionysus.DatabaseValue) {
        guard case .array(_, let elements) = value, !elements.isEmpty else { return nil }
        var columns: [[Dionysus.DatabaseValue]] = []
        for element in elements {
            guard case .array(_, let values) = element else { return nil }
            columns.append(values)
        }
        self.columns = columns
    }

    /// Lends itself to a statement until something else is bound, or the statement ends.
    func bind(to statement: Statement, at index: Int) throws {
        let code = sqlite3_bind_pointer(
            statement.sqliteStatement,
            CInt(index),
            Unmanaged.passRetained(self).toOpaque(),
            Self.pointerName
        ) { lists in
            if let lists { Unmanaged<BoundLists>.fromOpaque(lists).release() }
        }
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    /// What is longer than this many bytes is long.
    private static let longText = 1 << 16

    /// Lends the long texts of single rows to SQLite while work is done, so that they aren't copied.
    static func lendTexts<T>(of lists: [BoundLists], during work: () throws -> T) rethrows -> T {
        try lend(lists.flatMap(\.longTexts)[...], work)
    }

    private struct LongText {
        let lists: BoundLists
        let column: Int
        var text: String
    }

    private var longTexts: [LongText] {
        guard columns.allSatisfy({ $0.count == 1 }) else { return [] }
        return columns.enumerated()
            .compactMap { column, values in
                switch values[0] {
                case .text(let text), .json(let text):
                    text.utf8.count > Self.longText ? LongText(lists: self, column: column, text: text) : nil
                default: nil
                }
            }
    }

    private static func lend<T>(_ texts: ArraySlice<LongText>, _ work: () throws -> T) rethrows -> T {
        guard var long = texts.first else { return try work() }
        let (lists, column) = (long.lists, long.column)
        return try long.text.withUTF8 { bytes in
            if lists.lentTexts.isEmpty { lists.lentTexts = lists.columns.map { _ in nil } }
            lists.lentTexts[column] = bytes
            defer { lists.lentTexts[column] = nil }
            return try lend(texts.dropFirst(), work)
        }
    }

    /// The lists that were bound, as SQLite hands them back.
    static func bound(_ value: OpaquePointer?) -> BoundLists? {
        sqlite3_value_pointer(value, pointerName).map { Unmanaged<BoundLists>.fromOpaque($0).takeUnretainedValue() }
    }

    private static var pointerName: UnsafePointer<CChar> {
        UnsafeRawPointer(pointerType.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
