package import Dionysus

/// What a field of Kafka Connect's JSON holds, as its schema or the application says it.
package indirect enum ConnectType: Sendable, Hashable {
    /// What it says itself.
    case plain
    case column(DebeziumColumn)
    /// An object with the scale and the digits.
    case scaledDecimal
    /// A span of time, as microseconds.
    case duration
    case list(ConnectType)
    case structure([String: ConnectType])

    /// Reads a schema; what it doesn't know is taken as it is.
    package init(_ schema: JSON?) {
        guard let schema, case .object = schema else {
            self = .plain
            return
        }
        if case .string(let name)? = schema["name"], let known = Self.named(name, schema) {
            self = known
            return
        }
        switch schema["type"] {
        case .string("array")?: self = Self.list(ConnectType(schema["items"])).simplified
        case .string("struct")?: self = .structure(Self.fields(of: schema))
        default: self = .plain
        }
    }

    /// The types of a structure's fields.
    package static func fields(of schema: JSON?) -> [String: ConnectType] {
        guard case .array(let fields)? = schema?["fields"] else { return [:] }
        return fields.reduce(into: [:]) { types, field in
            guard case .string(let name)? = field["field"] else { return }
            let type = ConnectType(field)
            if type != .plain { types[name] = type }
        }
    }

    /// The schema of one of a structure's fields.
    package static func field(_ name: String, of schema: JSON?) -> JSON? {
        guard case .array(let fields)? = schema?["fields"] else { return nil }
        return fields.first { $0["field"] == .string(name) }
    }

    private var simplified: ConnectType { if case .list(.plain) = self { .plain } else { self } }

    private static func named(_ name: String, _ schema: JSON) -> ConnectType? {
        switch name {
        case "io.debezium.time.Date", "org.apache.kafka.connect.data.Date": return .column(.days)
        case "io.debezium.time.Time", "org.apache.kafka.connect.data.Time": return .column(.timeMilliseconds)
        case "io.debezium.time.MicroTime": return .column(.timeMicroseconds)
        case "io.debezium.time.NanoTime": return .column(.timeNanoseconds)
        case "io.debezium.time.Timestamp", "org.apache.kafka.connect.data.Timestamp": return .column(.milliseconds)
        case "io.debezium.time.MicroTimestamp": return .column(.microseconds)
        case "io.debezium.time.NanoTimestamp": return .column(.nanoseconds)
        case "io.debezium.time.MicroDuration": return .duration
        case "io.debezium.data.Json": return .column(.json)
        case "io.debezium.data.VariableScaleDecimal": return .scaledDecimal
        case "org.apache.kafka.connect.data.Decimal":
            switch schema["parameters"]?["scale"] {
            case .string(let text)?: return Int(text).map { .column(.decimal(scale: $0)) }
            case .integer(let scale)?: return .column(.decimal(scale: Int(scale)))
            default: return nil
            }
        default: return nil
        }
    }
}

extension ConnectType {
    /// A value as records have it.
    ///
    /// Times become ISO 8601, decimal numbers their digits. What is text where a number could be is taken as it is: Debezium
    /// can be set to write it so.
    /// - Parameter name: The field's name, for errors.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for a value that its type doesn't have.
    package func value(_ json: JSON, _ name: String) throws -> JSON {
        switch (self, json) {
        case (.plain, _), (_, .null): return json
        case (.column(.decimal(let scale)), .string(let digits)):
            return .string(try Self.decimal(base64: digits, scale: scale, name).description)
        case (.scaledDecimal, .object(let object)):
            guard case .integer(let scale)? = object["scale"], case .string(let digits)? = object["value"] else {
                break
            }
            return .string(try Self.decimal(base64: digits, scale: Int(scale), name).description)
        case (.column(.json), .string(let text)): return (try? JSON(parsing: Array(text.utf8))) ?? json
        case (.column(.json), _): return json
        case (.column(.decimal), .integer), (.column(.decimal), .number), (.scaledDecimal, .string),
            (.scaledDecimal, .integer), (.scaledDecimal, .number):
            return json
        case (.column(let column), .integer(let number)):
            guard let text = Self.time(number, column) else { break }
            return .string(text)
        case (.column, .string), (.duration, .string): return json
        case (.duration, .integer(let number)): return .string(Self.duration(number))
        case (.list(let element), .array(let values)): return .array(try values.map { try element.value($0, name) })
        case (.structure(let fields), .object(let object)):
            return .object(
                JSON.Object(
                    try object.members.map { member in
                        JSON.Object.Member(
                            member.name,
                            try fields[member.name]?.value(member.value, name) ?? member.value
                        )
                    }
                )
            )
        default: break
        }
        throw DionysusError(.malformed, "the value of a column doesn't fit the type that its schema names: \(name)")
    }

    private static func time(_ number: Int64, _ column: DebeziumColumn) -> String? {
        switch column {
        case .days: Int32(exactly: number).flatMap(LogicalValue.date)?.description
        case .milliseconds: micros(number, times: 1_000).map { Timestamp(microseconds: $0).description }
        case .microseconds: Timestamp(microseconds: number).description
        case .nanoseconds: Timestamp(microseconds: floored(number, by: 1_000)).description
        case .timeMilliseconds: micros(number, times: 1_000).map(timeOfDay)
        case .timeMicroseconds: timeOfDay(number)
        case .timeNanoseconds: timeOfDay(number / 1_000)
        case .decimal, .json: nil
        }
    }

    private static func micros(_ number: Int64, times factor: Int64) -> Int64? {
        let (product, overflows) = number.multipliedReportingOverflow(by: factor)
        return overflows ? nil : product
    }

    private static func floored(_ number: Int64, by divisor: Int64) -> Int64 {
        number / divisor - (number % divisor < 0 ? 1 : 0)
    }

    /// MySQL's times of day may be negative, and longer than a day.
    private static func timeOfDay(_ micros: Int64) -> String {
        func digits(_ value: UInt64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let (size, sign) = (micros.magnitude, micros < 0 ? "-" : "")
        let seconds = size / 1_000_000
        return "\(sign)\(digits(seconds / 3_600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
            + ".\(digits(size % 1_000_000, 6))"
    }

    private static func duration(_ micros: Int64) -> String {
        let (size, sign) = (micros.magnitude, micros < 0 ? "-" : "")
        let fraction = String(size % 1_000_000)
        return "PT\(sign)\(size / 1_000_000).\(String(repeating: "0", count: 6 - fraction.utf8.count))\(fraction)S"
    }

    private static func decimal(base64 digits: String, scale: Int, _ name: String) throws -> ExactDecimal {
        let fault = DionysusError(
            .malformed,
            "the value of a column is not a decimal number of up to 38 digits: \(name)",
            advice: "let Debezium write decimal numbers as text (decimal.handling.mode=string)"
        )
        guard (-38...16_383).contains(scale), let bytes = [UInt8](base64: digits),
            let whole = bytes.withUnsafeBytes({ LogicalValue.decimal($0, scale: 0) })
        else { throw fault }
        let number = ExactDecimal(unscaled: whole.unscaled, scale: scale)
        guard number.isNumber, scale < 0 || (number.unscaled == whole.unscaled && number.scale == scale) else {
            throw fault
        }
        return number
    }
}
