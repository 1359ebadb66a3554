import CLibpq
import Dionysus

import struct Foundation.UUID

/// Reads what a statement returns in text format, from one result of libpq or from one for each row.
struct ResultReader {
    private let columns: [String]
    private let readers: [CellReader]
    private var cells: [DatabaseValue] = []
    /// About how many bytes the values that have been read take in memory.
    private(set) var byteCount = 0
    /// The bytes of the largest row that has been read, as the server sent it.
    private(set) var largestRow = 0

    /// - Parameter result: The statement's first result.
    init(_ result: OpaquePointer) {
        let width = PQnfields(result)
        columns = (0..<width).map { String(cString: PQfname(result, $0)) }
        readers = (0..<width).map { CellReader(type: PQftype(result, $0)) }
    }

    /// Reads the rows of a result.
    mutating func read(_ result: OpaquePointer) {
        let height = PQntuples(result)
        if cells.isEmpty { cells.reserveCapacity(columns.count * Int(height)) }
        for row in 0..<height {
            var received = 0
            for column in 0..<Int32(readers.count) {
                guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                    byteCount += DatabaseValue.null.byteCount
                    cells.append(.null)
                    continue
                }
                let length = Int(PQgetlength(result, row, column))
                received += length
                let cell = value.withMemoryRebound(to: UInt8.self, capacity: length) {
                    readers[Int(column)].read(UnsafeBufferPointer(start: $0, count: length))
                }
                byteCount += cell.byteCount
                cells.append(cell)
            }
            largestRow = max(largestRow, received)
        }
    }

    /// - Parameter last: The statement's last result, which says how many rows it has changed or returned.
    func resultSet(endingWith last: OpaquePointer) -> ResultSet {
        let affected = PQcmdTuples(last).flatMap { Int(String(cString: $0)) } ?? 0
        return ResultSet(columns: columns, cells: cells, affectedRows: affected)
    }
}

/// Reads the text of one column's values.
struct CellReader {
    private indirect enum Kind {
        case text
        case json
        case integer
        case double
        case decimal
        case bool
        case timestamp
        case uuid
        case bytes
        case array(DatabaseType, CellReader)
    }

    private let kind: Kind

    init(type: UInt32) {
        kind =
            switch type {
            case 16: .bool
            case 20, 21, 23, 26: .integer
            case 700, 701: .double
            case 1_700: .decimal
            case 1_114, 1_184: .timestamp
            case 2_950: .uuid
            case 114, 3_802: .json
            case 17: .bytes
            case 1_000: .array(.bool, CellReader(type: 16))
            case 1_005, 1_007, 1_016: .array(.integer, CellReader(type: 20))
            case 1_021, 1_022: .array(.double, CellReader(type: 701))
            case 1_231: .array(.decimal, CellReader(type: 1_700))
            case 1_002, 1_003, 1_009, 1_015: .array(.text, CellReader(type: 25))
            case 1_115, 1_185: .array(.timestamp, CellReader(type: 1_184))
            case 2_951: .array(.uuid, CellReader(type: 2_950))
            case 199, 3_807: .array(.json, CellReader(type: 3_802))
            default: .text
            }
    }

    /// What has no exact equivalent (`infinity`, `NaN`, years before Christ, arrays of arrays) stays text.
    func read(_ text: UnsafeBufferPointer<UInt8>) -> DatabaseValue {
        switch kind {
        case .text: return string(text)
        case .json: return .json(String(decoding: text, as: UTF8.self))
        case .integer: return integer(text).map(DatabaseValue.integer) ?? string(text)
        case .double: return Double(String(decoding: text, as: UTF8.self)).map(DatabaseValue.double) ?? string(text)
        case .decimal: return ExactDecimal(utf8: text).map(DatabaseValue.decimal) ?? string(text)
        case .bool: return .bool(text.first == UInt8(ascii: "t"))
        case .timestamp: return Timestamp(iso8601: text).map(DatabaseValue.timestamp) ?? string(text)
        case .uuid:
            return UUID(utf8: text).map(DatabaseValue.uuid) ?? string(text)
        case .bytes: return bytes(text)
        case .array(let type, let reader): return array(text, type, reader)
        }
    }

    private func string(_ text: UnsafeBufferPointer<UInt8>) -> DatabaseValue {
        .text(String(decoding: text, as: UTF8.self))
    }

    private func integer(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var value: Int64 = 0
        var digits = text[...]
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative { digits = digits.dropFirst() }
        for byte in digits {
            let (product, first) = value.multipliedReportingOverflow(by: 10)
            let (difference, second) = product.subtractingReportingOverflow(Int64(byte &- 48))
            guard byte &- 48 < 10, !first, !second else { return nil }
            value = difference
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    private func bytes(_ text: UnsafeBufferPointer<UInt8>) -> DatabaseValue {
        func digit(_ byte: UInt8) -> UInt8 { byte < 58 ? byte - 48 : byte - 87 }
        guard text.count >= 2, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else { return string(text) }
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 2)
        for index in stride(from: 2, to: text.count - 1, by: 2) {
            result.append(digit(text[index]) << 4 | digit(text[index + 1]))
        }
        return .bytes(result)
    }

    private func array(_ text: UnsafeBufferPointer<UInt8>, _ type: DatabaseType, _ reader: CellReader) -> DatabaseValue
    {
        var elements: [DatabaseValue] = []
        var element: [UInt8] = []
        var isQuoted = false
        var wasQuoted = false
        var index = 1
        func finish() {
            if !wasQuoted, element.elementsEqual("NULL".utf8) {
                elements.append(.null)
            } else {
                elements.append(element.withUnsafeBufferPointer { reader.read($0) })
            }
            element = []
            wasQuoted = false
        }
        // An array of arrays, or one that doesn't count from one: `{{1},{2}}`, `[0:1]={1,2}`.
        guard text.count >= 2, text[0] == UInt8(ascii: "{"), text[1] != UInt8(ascii: "{") else { return string(text) }
        guard text.count > 2 else { return .array(type, []) }
        while index < text.count {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\\"):
                index += 1
                if index < text.count { element.append(text[index]) }
            case UInt8(ascii: "\""):
                isQuoted.toggle()
                wasQuoted = true
            case UInt8(ascii: ",") where !isQuoted, UInt8(ascii: "}") where !isQuoted: finish()
            default: element.append(byte)
            }
            index += 1
        }
        return .array(type, elements)
    }
}
