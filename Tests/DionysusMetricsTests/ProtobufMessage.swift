/// A message of Protocol Buffers as it lies in its bytes, read without its definition.
struct ProtobufMessage {
    enum Value: Equatable {
        case number(UInt64)
        case bytes([UInt8])
    }

    private var fields: [Int: [Value]] = [:]

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let tag = Self.varint(&rest) else { return nil }
            let value: Value
            switch tag & 7 {
            case 0:
                guard let number = Self.varint(&rest) else { return nil }
                value = .number(number)
            case 1, 5:
                let size = tag & 7 == 1 ? 8 : 4
                guard rest.count >= size else { return nil }
                value = .number(rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) })
                rest = rest.dropFirst(size)
            case 2:
                guard let size = Self.varint(&rest), rest.count >= Int(size) else { return nil }
                value = .bytes(Array(rest.prefix(Int(size))))
                rest = rest.dropFirst(Int(size))
            default: return nil
            }
            fields[Int(tag >> 3), default: []].append(value)
        }
    }

    /// The messages of a field within others: `all(1, 2, 2)` are those of field 2 of field 2 of field 1.
    func all(_ path: Int...) -> [ProtobufMessage] {
        path.reduce([self]) { messages, field in
            messages.flatMap { $0.fields[field] ?? [] }
                .compactMap { if case .bytes(let bytes) = $0 { ProtobufMessage(bytes) } else { nil } }
        }
    }

    func bytes(_ field: Int) -> [UInt8]? {
        if case .bytes(let bytes)? = fields[field]?.last { bytes } else { nil }
    }

    func text(_ field: Int) -> String? { bytes(field).map { String(decoding: $0, as: UTF8.self) } }

    func number(_ field: Int) -> UInt64? {
        if case .number(let number)? = fields[field]?.last { number } else { nil }
    }

    func double(_ field: Int) -> Double? { number(field).map { Double(bitPattern: $0) } }

    /// Numbers of eight bytes each.
    func packed(_ field: Int) -> [UInt64] {
        let bytes = bytes(field) ?? []
        return stride(from: 0, to: bytes.count, by: 8)
            .map { start in bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    }

    /// Attributes with values of text.
    func attributes(_ field: Int) -> [String: String] {
        var attributes: [String: String] = [:]
        for pair in all(field) {
            if let name = pair.text(1), let value = pair.all(2).first?.text(1) { attributes[name] = value }
        }
        return attributes
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for place in 0..<10 {
            guard let byte = rest.popFirst() else { return nil }
            number |= UInt64(byte & 0x7F) << UInt64(7 * place)
            if byte < 0x80 { return number }
        }
        return nil
    }
}

func hexadecimal(_ bytes: [UInt8]?) -> String? {
    bytes.map { $0.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined() }
}
