import Dionysus

extension ColumnDescription {
    /// The value that a text is in the column; nil for one that isn't of its type.
    func value(of text: String) -> DatabaseValue? {
        switch type {
        case .bool:
            let values = ["true": true, "t": true, "1": true, "false": false, "f": false, "0": false]
            return values[text.lowercased()].map(DatabaseValue.bool)
        case .bytes, .json: return nil
        case let type?: return try? DatabaseValue.text(text).converted(to: type)
        case nil: return .text(text)
        }
    }
}
