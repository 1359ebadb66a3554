extension ExactDecimal: LosslessStringConvertible, ExpressibleByIntegerLiteral {
    /// Creates an integer.
    public init(integerLiteral value: Int64) { self.init(unscaled: Int128(value), scale: 0) }

    /// The digits with the decimal point; `NaN` for ``notANumber``, which can't be parsed again.
    public var description: String {
        guard isNumber else { return "NaN" }
        if scale == 0 { return String(unscaled) }
        var digits = String(unscaled.magnitude)
        if digits.utf8.count <= scale {
            digits = String(repeating: "0", count: scale - digits.utf8.count + 1) + digits
        }
        digits.insert(".", at: digits.utf8.index(digits.endIndex, offsetBy: -scale))
        return unscaled < 0 ? "-" + digits : digits
    }

    /// The digits as in Ruby's BigDecimal: only the necessary decimal places, but at least one.
    package var bigDecimalText: String {
        let value = normalized
        return isNumber && value.scale == 0 ? value.description + ".0" : value.description
    }

    /// The number if it is a 64-bit integer.
    package var wholeNumber: Int64? { wholeNumber(as: Int64.self) }

    /// The number if it is an integer that the type can represent.
    package func wholeNumber<T: FixedWidthInteger>(as type: T.Type) -> T? {
        let value = normalized
        return isNumber && value.scale == 0 ? T(exactly: value.unscaled) : nil
    }

    /// Parses a decimal number, optionally with an exponent.
    /// - Parameter description: The text; the result is nil if it isn't a number or has more than 38 digits.
    public init?(_ description: String) {
        var description = description
        let value = description.withUTF8 { ExactDecimal(utf8: $0) }
        guard let value else { return nil }
        self = value
    }

    package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        var isNegative = false
        if let first = bytes.first, first == 45 || first == 43 {
            isNegative = first == 45
            position = 1
        }
        var value: Int128 = 0
        var scale = 0
        var digits = 0
        var isFraction = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 46, !isFraction {
                isFraction = true
            } else if byte &- 48 < 10 {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int128(byte - 48))
                if overflow || carry { return nil }
                value = sum
                digits += 1
                if isFraction { scale += 1 }
            } else {
                break
            }
            position += 1
        }
        guard digits > 0 else { return nil }
        if position < bytes.count {
            guard bytes[position] == 101 || bytes[position] == 69,
                let text = String(validating: bytes[(position + 1)...], as: UTF8.self),
                let exponent = Int(text), (-76...76).contains(exponent)
            else { return nil }
            scale -= exponent
            if scale < 0, value == 0 {
                scale = 0
            } else if scale < 0 {
                guard let factor = powerOfTen(-scale) else { return nil }
                let (product, overflow) = value.multipliedReportingOverflow(by: factor)
                if overflow { return nil }
                value = product
                scale = 0
            }
        }
        guard value.magnitude <= Self.largest, scale <= Self.largestScale else { return nil }
        self.init(exactly: isNegative ? -value : value, scale: scale)
    }
}

extension ExactDecimal: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let value: ExactDecimal? =
            if let text = try? container.decode(String.self) {
                ExactDecimal(text)
            } else if let integer = try? container.decode(Int64.self) {
                ExactDecimal(integer)
            } else {
                try ExactDecimal(container.decode(Double.self))
            }
        guard let value else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a decimal")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        guard isNumber else {
            let context = EncodingError.Context(
                codingPath: encoder.codingPath,
                debugDescription: "not a decimal number"
            )
            throw EncodingError.invalidValue(self, context)
        }
        try container.encode(description)
    }
}
