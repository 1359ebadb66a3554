import Dionysus

/// What a type of a schema is to values of its own kind, which are nearly all: where null and the value stand in its union,
/// and how the value is written.
///
/// It has no references, so that looking one up for each value costs nothing.
struct AvroScalar: Sendable {
    enum Kind: Sendable {
        case boolean, int, long, double, string
        /// A point in time in microseconds.
        case microseconds
        /// Anything that takes a closer look.
        case other
    }

    let kind: Kind
    /// The branch of null and the branch of the value; nil if the type is no union.
    let branches: (null: Int, value: Int)?

    /// - Parameters:
    ///   - type: The type.
    ///   - types: All types of its schema.
    init(_ type: AvroType, in types: [AvroType]) {
        guard case .union(let branches) = type.kind else {
            (kind, self.branches) = (Self.kind(of: type), nil)
            return
        }
        guard branches.count == 2, let null = branches.firstIndex(where: { types[$0].isNull }) else {
            (kind, self.branches) = (.other, nil)
            return
        }
        (kind, self.branches) = (Self.kind(of: types[branches[1 - null]]), (null, 1 - null))
    }

    private static func kind(of type: AvroType) -> Kind {
        switch (type.kind, type.logical) {
        case (.boolean, _): .boolean
        case (.int, _): .int
        case (.long, .timestampMicros?), (.long, .localTimestampMicros?): .microseconds
        case (.long, _): .long
        case (.double, _): .double
        case (.string, nil): .string
        default: .other
        }
    }
}

extension AvroWriter {
    /// Writes a value of a type's own kind, or null where that is a branch.
    /// - Returns: Whether it has been written; if not, nothing has.
    mutating func write(_ value: DatabaseValue, as scalar: AvroScalar) -> Bool {
        switch (value, scalar.kind) {
        case (.null, _):
            guard let branches = scalar.branches else { return false }
            index(branches.null)
        case (.text(let text), .string):
            if let branches = scalar.branches { index(branches.value) }
            string(text)
        case (.integer(let number), .long), (.integer(let number), .microseconds):
            if let branches = scalar.branches { index(branches.value) }
            long(number)
        case (.timestamp(let time), .microseconds):
            if let branches = scalar.branches { index(branches.value) }
            long(time.microseconds)
        case (.bool(let value), .boolean):
            if let branches = scalar.branches { index(branches.value) }
            boolean(value)
        case (.integer(let number), .int):
            guard let number = Int32(exactly: number) else { return false }
            if let branches = scalar.branches { index(branches.value) }
            int(number)
        case (.double(let number), .double):
            if let branches = scalar.branches { index(branches.value) }
            double(number)
        default: return false
        }
        return true
    }
}
