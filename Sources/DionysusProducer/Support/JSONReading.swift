import Dionysus

extension JSON {
    var elements: [JSON] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    func text(or fallback: String?) -> String? {
        guard case .string(let text) = self else { return fallback }
        return text
    }
}
