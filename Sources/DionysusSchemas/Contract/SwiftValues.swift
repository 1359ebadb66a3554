import Dionysus

extension ContractValue {
    /// What a Swift type is in payloads.
    /// - Parameters:
    ///   - type: The type of a property or of what a computation returns.
    ///   - scale: How many digits a decimal has behind the point, if that is declared.
    package init(of type: Any.Type, scale: Int? = nil) {
        if let optional = type as? any OptionalType.Type {
            self.init(of: optional.wrapped, scale: scale)
            isNullable = true
            return
        }
        if let list = type as? any ListType.Type {
            self.init(.array, items: ContractValue(of: list.element, scale: scale))
            return
        }
        let kind = Self.kind(of: type)
        self.init(kind, scale: kind == .decimal ? scale : nil, values: Self.cases(of: type))
    }

    private static func kind(of type: Any.Type) -> ContractType {
        switch ValueKind(of: type) {
        case .bool: .boolean
        case .integer: .integer
        case .double, .float: .double
        case .decimal: .decimal
        case .text, .url: .string
        case .uuid: .uuid
        case .bytes: .bytes
        case .time: .timestamp
        case .date: .date
        case .list: .array
        case .object, .document: .json
        case .any:
            if let type = type as? any RawRepresentable.Type { rawKind(type) } else { .json }
        }
    }

    private static func rawKind<T: RawRepresentable>(_ type: T.Type) -> ContractType { kind(of: T.RawValue.self) }

    /// The raw values of an enumeration that lists its cases.
    private static func cases(of type: Any.Type) -> [JSON]? {
        guard let type = type as? any (RawRepresentable & CaseIterable).Type else { return nil }
        return rawValues(type)
    }

    private static func rawValues<T: RawRepresentable & CaseIterable>(_ type: T.Type) -> [JSON]? {
        let values = type.allCases.map { one -> JSON? in
            switch one.rawValue {
            case let text as String: .string(text)
            case let number as any FixedWidthInteger: Int64(exactly: number).map(JSON.integer)
            default: nil
            }
        }
        return values.contains(nil) ? nil : values.compactMap(\.self)
    }
}
