/// What a collector says that it has not taken, in an answer that is otherwise a success.
struct PartialSuccess: Hashable {
    let rejected: Int
    let message: String

    /// Reads an answer; nil if it doesn't speak of any, or is none.
    init?(_ answer: [UInt8]) {
        var reader = ProtobufReader(answer[...])
        var found: ArraySlice<UInt8>?
        while let field = reader.next() {
            if case (1, .bytes(let bytes)) = field { found = bytes }
        }
        guard let found else { return nil }
        var (rejected, message): (Int, String) = (0, "")
        reader = ProtobufReader(found)
        while let field = reader.next() {
            switch field {
            case (1, .number(let number)): rejected = Int(clamping: Int64(bitPattern: number))
            case (2, .bytes(let bytes)): message = String(decoding: bytes, as: UTF8.self)
            default: break
            }
        }
        guard rejected > 0 || !message.isEmpty else { return nil }
        (self.rejected, self.message) = (max(0, rejected), message)
    }
}

/// Reads the fields of a message.
///
/// It ends at what is none.
private struct ProtobufReader {
    enum Value {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
        case other
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> (UInt64, Value)? {
        guard let tag = varint() else { return nil }
        let field = tag >> 3
        switch tag & 7 {
        case 0: return varint().map { (field, .number($0)) }
        case 1: return take(8).map { _ in (field, .other) }
        case 2:
            guard let length = varint(), let count = Int(exactly: length) else { return nil }
            return take(count).map { (field, .bytes($0)) }
        case 5: return take(4).map { _ in (field, .other) }
        default: return nil
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() -> UInt64? {
        var number: UInt64 = 0
        for place in 0..<10 {
            guard let byte = rest.popFirst() else { return nil }
            number |= UInt64(byte & 0x7F) << UInt64(7 * place)
            if byte < 0x80 { return number }
        }
        return nil
    }
}
