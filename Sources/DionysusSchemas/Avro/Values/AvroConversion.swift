import Dionysus

/// Values of databases as what the types of a schema hold; what would lose a digit is refused.
enum AvroConversion {
    static func integer(_ value: DatabaseValue, _ type: AvroType) throws(AvroFault) -> Int64 {
        switch value {
        case .integer(let value): return value
        case .decimal(let value): if let value = value.wholeNumber { return value }
        case .double(let value): if let value = Int64(exactly: value) { return value }
        case .timestamp(let time): if let value = number(time, type) { return value }
        case .text(let text): if let value = integer(text, type) { return value }
        default: break
        }
        throw misfit(value, type)
    }

    private static func integer(_ text: String, _ type: AvroType) -> Int64? {
        switch type.logical {
        case nil: return IntegerText.value(text)
        case .date: if let days = CalendarDate(text).flatMap(LogicalValue.days) { return Int64(days) }
        case .timeMillis: if let time = LogicalValue.timeOfDay(text) { return time / 1_000 }
        case .timeMicros: if let time = LogicalValue.timeOfDay(text) { return time }
        case .timestampNanos, .localTimestampNanos: if let value = LogicalValue.nanoseconds(text) { return value }
        default: break
        }
        return Timestamp(text).flatMap { number($0, type) } ?? IntegerText.value(text)
    }

    private static func number(_ time: Timestamp, _ type: AvroType) -> Int64? {
        switch type.logical {
        case nil: LogicalValue.number(time, .timestampMillis).map { $0 >= 0 ? $0 / 1_000 : ($0 - 999) / 1_000 }
        case .date: LogicalValue.days(CalendarDate(time)).map(Int64.init)
        case .timeMillis, .timeMicros: nil
        case let logical?: LogicalValue.number(time, logical)
        }
    }

    static func double(_ value: DatabaseValue, _ type: AvroType) throws(AvroFault) -> Double {
        switch value {
        case .double(let value): return value
        case .integer(let value): return Double(value)
        case .decimal(let value): if value.isNumber, let value = Double(value.description) { return value }
        case .text(let text): if let value = IntegerText.double(text) { return value }
        default: break
        }
        throw misfit(value, type)
    }

    static func decimal(_ value: DatabaseValue, _ type: AvroType) throws(AvroFault) -> ExactDecimal {
        switch value {
        case .decimal(let value): return value
        case .integer(let value): return ExactDecimal(value)
        case .double(let value): if let value = ExactDecimal(value) { return value }
        case .text(let text): if let value = ExactDecimal(text) { return value }
        default: break
        }
        throw misfit(value, type)
    }

    static func bytes(_ value: DatabaseValue, _ type: AvroType) throws(AvroFault) -> [UInt8] {
        switch value {
        case .bytes(let bytes): return bytes
        case .text(let text), .json(let text): return Array(text.utf8)
        default: throw misfit(value, type)
        }
    }

    /// Why a value can't be of a type.
    static func misfit(_ value: DatabaseValue, _ type: AvroType) -> AvroFault {
        misfit(AvroInput.scalar(value).kind, type)
    }

    static func misfit(_ kind: String, _ type: AvroType) -> AvroFault {
        AvroFault("\(kind) is no \(type.logical.map { "\($0.word) of " } ?? "")\(type.name ?? type.kind.word)")
    }
}
