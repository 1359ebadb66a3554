/// A recursive-descent parser over raw bytes.
struct JSONParser {
    private static let maximumDepth = 512

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    /// The number of members of the previous object, to reserve capacity for the next.
    private var lastCount = 12

    static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws -> JSON {
        var parser = JSONParser(bytes: bytes)
        parser.skipWhitespace()
        let value = try parser.value(depth: 0)
        parser.skipWhitespace()
        guard parser.position == bytes.count else { throw parser.failure("more than one value") }
        return value
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private func failure(_ what: String) -> DionysusError {
        DionysusError(.malformed, "malformed JSON at byte \(position) of \(bytes.count): \(what)")
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func expect(_ literal: StaticString) throws {
        for index in 0..<literal.utf8CodeUnitCount {
            guard current == literal.utf8Start[index] else { throw failure("a literal is misspelled") }
            position += 1
        }
    }

    private mutating func value(depth: Int) throws -> JSON {
        guard depth <= Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth) levels") }
        guard let byte = current else { throw failure("it ends where a value is expected") }
        switch byte {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("expected a value")
        }
    }

    private mutating func object(depth: Int) throws -> JSON.Object {
        position += 1
        var members: [JSON.Object.Member] = []
        skipWhitespace()
        if current == UInt8(ascii: "}") {
            position += 1
            return JSON.Object()
        }
        members.reserveCapacity(min(lastCount, 12))
        while true {
            skipWhitespace()
            guard current == UInt8(ascii: "\"") else { throw failure("a member has no name") }
            let name = try string()
            skipWhitespace()
            guard current == UInt8(ascii: ":") else { throw failure("a member has no value") }
            position += 1
            skipWhitespace()
            members.append(JSON.Object.Member(name, try value(depth: depth + 1)))
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                lastCount = members.count
                return JSON.Object(members)
            default: throw failure("an object is not closed")
            }
        }
    }

    private mutating func array(depth: Int) throws -> [JSON] {
        position += 1
        var elements: [JSON] = []
        skipWhitespace()
        if current == UInt8(ascii: "]") {
            position += 1
            return elements
        }
        while true {
            skipWhitespace()
            elements.append(try value(depth: depth + 1))
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return elements
            default: throw failure("an array is not closed")
            }
        }
    }

    private mutating func number() throws -> JSON {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let firstDigit = position
        var integer: Int64 = 0
        var overflows = false
        while let byte = current, byte &- 48 < 10 {
            let (product, first) = integer.multipliedReportingOverflow(by: 10)
            let (difference, second) = product.subtractingReportingOverflow(Int64(byte - 48))
            overflows = overflows || first || second
            integer = difference
            position += 1
        }
        let digits = position - firstDigit
        guard digits > 0, digits == 1 || bytes[firstDigit] != 48 else { throw failure("not a number") }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try someDigits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try someDigits()
        }
        // Accumulated as a negative number, because Int64 has one more of these.
        let isNegative = firstDigit > start
        if isInteger, !overflows, isNegative || integer != .min {
            return .integer(isNegative ? integer : -integer)
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func someDigits() throws {
        let start = position
        while let byte = current, byte &- 48 < 10 { position += 1 }
        guard position > start else { throw failure("not a number") }
    }

    private mutating func string() throws -> String {
        position += 1
        let start = position
        var allBits: UInt8 = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let utf8 = UnsafeBufferPointer(rebasing: bytes[start..<position])
                let text = allBits < 0x80 ? String(decoding: utf8, as: UTF8.self) : try validated(utf8)
                position += 1
                return text
            }
            allBits |= byte
            if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
            guard byte >= 0x20 else { throw failure("a control character in a string") }
            position += 1
        }
        throw failure("a string is not closed")
    }

    /// Decodes text with repairs, which change the bytes and so reveal invalid UTF-8: a generic validating initializer
    /// costs as much as the rest of the parser.
    private func validated(_ utf8: UnsafeBufferPointer<UInt8>) throws -> String {
        let text = String(decoding: utf8, as: UTF8.self)
        guard text.utf8.elementsEqual(utf8) else { throw failure("a string is not UTF-8") }
        return text
    }

    private mutating func stringWithEscapes(from start: Int) throws -> String {
        var buffer = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try buffer.withUnsafeBufferPointer { try validated($0) }
            case UInt8(ascii: "\\"): try escape(into: &buffer)
            case 0..<0x20: throw failure("a control character in a string")
            default: buffer.append(byte)
            }
        }
        throw failure("a string is not closed")
    }

    private mutating func escape(into buffer: inout [UInt8]) throws {
        guard let byte = current else { throw failure("a string is not closed") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0c)
        case UInt8(ascii: "n"): buffer.append(0x0a)
        case UInt8(ascii: "r"): buffer.append(0x0d)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try codeUnit())
            if (0xd800..<0xdc00).contains(code) {
                guard current == UInt8(ascii: "\\"), position + 1 < bytes.count,
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw failure("half a surrogate pair") }
                position += 2
                let low = UInt32(try codeUnit())
                guard (0xdc00..<0xe000).contains(low) else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            buffer.append(contentsOf: String(Character(scalar)).utf8)
        default: throw failure("an unknown escape")
        }
    }

    private mutating func codeUnit() throws -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current else { throw failure("a string is not closed") }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - 87
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - 55
            default: throw failure("an escape is not hexadecimal")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}
