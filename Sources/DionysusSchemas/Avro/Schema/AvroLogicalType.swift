import Dionysus

/// What data means beyond its type.
package enum AvroLogicalType: Sendable, Hashable {
    case date
    case timeMillis, timeMicros
    case timestampMillis, timestampMicros, timestampNanos
    case localTimestampMillis, localTimestampMicros, localTimestampNanos
    case decimal(precision: Int, scale: Int)
    case uuid
    case duration
    /// Text that is a JSON document.
    case json

    /// What a document says of a type.
    ///
    /// Nil is returned for a logical type that isn't known.
    /// - Throws: ``Misfit`` for one that is known and can't be this type's.
    init?(attributes: JSON.Object, kind: AvroType.Kind) throws {
        guard case .string(let word)? = attributes["logicalType"] else { return nil }
        let found: AvroLogicalType? =
            switch word {
            case "date": .date
            case "time-millis": .timeMillis
            case "time-micros": .timeMicros
            case "timestamp-millis": .timestampMillis
            case "timestamp-micros": .timestampMicros
            case "timestamp-nanos": .timestampNanos
            case "local-timestamp-millis": .localTimestampMillis
            case "local-timestamp-micros": .localTimestampMicros
            case "local-timestamp-nanos": .localTimestampNanos
            case "uuid": .uuid
            case "duration": .duration
            case "json": .json
            case "decimal": try .decimal(attributes, kind)
            default: nil
            }
        guard let found else { return nil }
        guard found.fits(kind) else { throw Misfit(reason: "\(word) is no logical type of \(kind.word)") }
        self = found
    }

    /// Why a logical type can't be a type's.
    struct Misfit: Error {
        let reason: String
    }

    private static func decimal(_ attributes: JSON.Object, _ kind: AvroType.Kind) throws -> AvroLogicalType {
        guard case .integer(let precision)? = attributes["precision"], precision > 0, precision <= 1_000_000 else {
            throw Misfit(reason: "a decimal needs a precision above zero")
        }
        var scale: Int64 = 0
        if let given = attributes["scale"] {
            guard case .integer(let value) = given else { throw Misfit(reason: "a decimal's scale is a whole number") }
            scale = value
        }
        guard scale >= 0, scale <= precision else {
            throw Misfit(reason: "a decimal's scale is from zero to its precision")
        }
        if case .fixed(let fixed) = kind {
            // The digits that a number of so many bits has for certain.
            let digits =
                Double(max(0, fixed.size.multipliedReportingOverflow(by: 8).partialValue - 1)) * 0.301_029_995_663_981_2
            guard Double(precision) <= digits.rounded(.down) else {
                throw Misfit(reason: "\(fixed.size) bytes don't hold a decimal of \(precision) digits")
            }
        }
        return .decimal(precision: Int(precision), scale: Int(scale))
    }

    private func fits(_ kind: AvroType.Kind) -> Bool {
        switch (self, kind) {
        case (.date, .int), (.timeMillis, .int): true
        case (.timeMicros, .long), (.timestampMillis, .long), (.timestampMicros, .long), (.timestampNanos, .long): true
        case (.localTimestampMillis, .long), (.localTimestampMicros, .long), (.localTimestampNanos, .long): true
        case (.decimal, .bytes), (.decimal, .fixed): true
        case (.uuid, .string), (.json, .string): true
        case (.uuid, .fixed(let fixed)): fixed.size == 16
        case (.duration, .fixed(let fixed)): fixed.size == 12
        default: false
        }
    }

    /// The word that a schema has for it.
    var word: String {
        switch self {
        case .date: "date"
        case .timeMillis: "time-millis"
        case .timeMicros: "time-micros"
        case .timestampMillis: "timestamp-millis"
        case .timestampMicros: "timestamp-micros"
        case .timestampNanos: "timestamp-nanos"
        case .localTimestampMillis: "local-timestamp-millis"
        case .localTimestampMicros: "local-timestamp-micros"
        case .localTimestampNanos: "local-timestamp-nanos"
        case .decimal(let precision, let scale): "decimal(\(precision), \(scale))"
        case .uuid: "uuid"
        case .duration: "duration"
        case .json: "json"
        }
    }
}
