/// Rails' choices where JSON allows several forms.
enum RailsJSON {
    /// Escapes characters that Rails escapes in strings: HTML's, and two that end lines in JavaScript.
    ///
    /// These characters occur only in strings, so it doesn't matter where in the JSON they are.
    static func escaped(_ json: [UInt8]) -> [UInt8] {
        guard json.contains(where: { $0 == 0x26 || $0 == 0x3c || $0 == 0x3e || $0 == 0xe2 }) else { return json }
        var result: [UInt8] = []
        result.reserveCapacity(json.count + 32)
        var index = 0
        while index < json.count {
            switch json[index] {
            case 0x26: result += "\\u0026".utf8
            case 0x3c: result += "\\u003c".utf8
            case 0x3e: result += "\\u003e".utf8
            case 0xe2 where json[index...].starts(with: [0xe2, 0x80, 0xa8]):
                result += "\\u2028".utf8
                index += 2
            case 0xe2 where json[index...].starts(with: [0xe2, 0x80, 0xa9]):
                result += "\\u2029".utf8
                index += 2
            case let byte: result.append(byte)
            }
            index += 1
        }
        return result
    }

    /// The digits of a binary number in Ruby's format: `1e+16` becomes `1.0e+16`.
    /// - Parameter text: The shortest digits that parse as the number, in Swift's format.
    static func digits(of text: String) -> String {
        var bytes = Array(text.utf8)
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { bytes.removeFirst() }
        let parts = bytes.split(separator: UInt8(ascii: "e"), maxSplits: 1)
        guard let mantissa = parts.first else { return text }
        let places = mantissa.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let whole = places.first else { return text }
        let exponent = parts.count > 1 ? Int(String(decoding: parts[1], as: UTF8.self)) ?? 0 : 0
        let all = Array(whole) + (places.count > 1 ? Array(places[1]) : [])
        let zeros = all.prefix { $0 == UInt8(ascii: "0") }.count
        let significant = all.dropFirst(zeros).reversed().drop { $0 == UInt8(ascii: "0") }.reversed()
        let digits = String(decoding: Array(significant), as: UTF8.self)
        guard !digits.isEmpty else { return isNegative ? "-0.0" : "0.0" }
        // The number is 0.DIGITS times ten to the power of this.
        let power = whole.count - zeros + exponent
        return (isNegative ? "-" : "") + shown(digits, power)
    }

    private static func shown(_ digits: String, _ power: Int) -> String {
        let count = digits.utf8.count
        guard (-3...15).contains(power) else {
            let rest = digits.dropFirst()
            let exponent = power - 1
            let magnitude = String(exponent.magnitude)
            return "\(digits.prefix(1)).\(rest.isEmpty ? "0" : rest)e\(exponent < 0 ? "-" : "+")"
                + (magnitude.utf8.count < 2 ? "0" : "") + magnitude
        }
        if power <= 0 { return "0." + String(repeating: "0", count: -power) + digits }
        if count <= power { return digits + String(repeating: "0", count: power - count) + ".0" }
        return "\(digits.prefix(power)).\(digits.dropFirst(power))"
    }
}
