/// A value that represents an element of a declared list.
public protocol ListElement<Element> {
    associatedtype Element
    /// The element.
    var element: Element { get }
}

/// Collects the elements of a declaration.
@resultBuilder
public enum ListBuilder<Element> {
    public static func buildExpression(_ element: Element) -> [Element] { [element] }
    public static func buildExpression<E: ListElement>(_ element: E) -> [Element] where E.Element == Element {
        [element.element]
    }
    /// Elements that are declared elsewhere: `Bookings().namespaces`.
    public static func buildExpression(_ elements: [Element]) -> [Element] { elements }
    public static func buildBlock(_ parts: [Element]...) -> [Element] { parts.flatMap { $0 } }
    public static func buildOptional(_ part: [Element]?) -> [Element] { part ?? [] }
    public static func buildEither(first: [Element]) -> [Element] { first }
    public static func buildEither(second: [Element]) -> [Element] { second }
    public static func buildArray(_ parts: [[Element]]) -> [Element] { parts.flatMap { $0 } }
}
