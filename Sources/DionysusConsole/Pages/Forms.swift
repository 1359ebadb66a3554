import Dionysus

/// Forms that change something.
struct Forms: Sendable {
    let call: Call

    var base: String { call.core.settings.basePath }

    /// The hidden field that shows that this console made the form.
    var token: HTML { "<input type=\"hidden\" name=\"csrf\" value=\"\(call.formToken)\">" }

    /// A form with one button.
    /// - Parameter subject: What the button is about, for those who don't see what stands beside it.
    func button(
        _ path: String,
        _ title: String,
        _ fields: [(String, String)] = [],
        class name: String? = nil,
        of subject: String? = nil
    ) -> HTML {
        let hidden = fields.map { "<input type=\"hidden\" name=\"\($0.0)\" value=\"\($0.1)\">" as HTML }
        let label: HTML = subject.map { " aria-label=\"\(title) \($0)\"" } ?? ""
        return """
            <form class="inline" method="post" action="\(base)\(path)">\(token)\(hidden)\
            <button\(class: name)\(label)>\(title)</button></form>
            """
    }

    /// A form around a table whose rows can be selected.
    /// - Parameters:
    ///   - path: Where it is sent.
    ///   - actions: The names and titles of its buttons.
    ///   - filter: The filter that the table shows, for an action on all that match.
    ///   - all: How many match, in words; nil if there is no such action.
    func bulk(
        _ path: String,
        _ actions: [(name: String, title: String, key: String)],
        filter: [(String, String?)],
        all: String?,
        _ table: HTML
    ) -> HTML {
        guard call.may(.operate) else { return table }
        let hidden = filter.map { name, value -> HTML in
            value.map { "<input type=\"hidden\" name=\"\(name)\" value=\"\($0)\">" as HTML } ?? ""
        }
        let buttons = actions.map { action -> HTML in
            """
            <button name="action" value="\(action.name)" data-key="\(action.key)">\(action.title) <span class="picked">selected</span></button>
            """
        }
        let every = all.map { text -> HTML in
            let list = actions.map { action -> HTML in
                "<button class=\"plain\" name=\"all\" value=\"\(action.name)\">\(action.title) \(text)…</button>"
            }
            return "<span class=\"all\">\(list)</span>"
        }
        return """
            <form class="bulk" method="post" action="\(base)\(path)">\(token)\(hidden)\(table)\
            <div class="actions">\(buttons)\(every)</div></form>
            """
    }
}
