### 工单页。** 之间的文字加粗。

ticket-before = 上一个
ticket-after = 下一个
ticket-place = 第 { $n } 个，共 { $of } 个
ticket-until = 至 { $until }
ticket-case = 同一台设备共 { $n } 张工单：
ticket-case-this = { $id } 本单
ticket-not-switched-off = 涉及安全。系统无法切断设备电源，请立即致电客户。

ticket-grey-values = 最近 { $among } 个值中有 { $held } 个超过{ $level ->
    [fault] 故障限
   *[warn] 预警限
} { $limit }。
ticket-grey-opened = { $ago }前开单（{ $when }）。
ticket-grey-worsened = { $when } 加重为 { $severity }。
ticket-grey-cleared = { $when } 起已恢复正常。
ticket-late = 依据迟到的数据判定。

ticket-do = 怎么处理
ticket-recheck-span = 标记为已解决后，系统会观察 { $span }：若再次出现，本单自动重新打开；否则自动关闭。
ticket-recheck-uses = 标记为已解决后，系统会跟踪 { $n } 次使用（{ $name }）：若再次出现，本单自动重新打开；否则自动关闭。

ticket-sure = 把握有多大
ticket-sure-values = 最近 { $among } 个值中 **{ $held } 个超过{ $level ->
    [fault] 故障限
   *[warn] 预警限
}**，达到 { $of } 个即判定。
ticket-sure-time = { $name }：已持续 **{ $held }**，达到 { $of }即判定。
ticket-sure-above = { $name }：**比自身初期高 { $change }**（初期 { $normal }，正常波动约 { $spread }）。
ticket-sure-below = { $name }：**比自身初期低 { $change }**（初期 { $normal }，正常波动约 { $spread }）。
ticket-sure-limit = { $name }：**{ $value }**，限值 { $limit }。
ticket-sure-verdicts = 此类故障已核实 { $checked } 例，**{ $right } 例属实**，准确率 **{ $share }**（可信区间 { $low }%～{ $high }）。
ticket-sure-unknown = 此类故障的准确率尚不可知：需要 { $need } 个结论，目前 { $have } 个。
ticket-sure-whisker = 准确率 { $share }，可信区间 { $low }% 至 { $high }

ticket-parts = 备件
ticket-evidence = 依据
ticket-range = 时间范围
ticket-range-near = 前后
ticket-range-days = { $n } 天
ticket-range-all = 全部
ticket-local-time = 当地时间，{ $zone }
ticket-chart-caption = **{ $name }**，{ $what }
ticket-chart-per-use = 每次使用或每天一个值
ticket-no-chart = 本单依据的是事件或状态，没有可绘制的曲线。
ticket-no-values = 此时间范围内没有{ $name }的数据，请选择更长的范围。
ticket-series-late = 时序存储暂无响应，因此缺少曲线。工单本身完整，请稍后刷新。
ticket-held = 哪些条件成立，哪些没有
ticket-sign = 迹象
ticket-then = 判定时
ticket-now = 当前
ticket-when-new = 初期
ticket-limit = 限值
ticket-limit-own = { $limit }（{ $value }）
ticket-did-hold = 是否成立
ticket-held-since = 自 { $when }
ticket-yes = 成立
ticket-no = 未成立
ticket-values = 以表格查看数值
ticket-values-last = 最近 { $n } 个值
ticket-value-when = 时间
ticket-value-unit = { $name }，{ $unit }
ticket-change = 变化
ticket-csv = 下载全部 { $n } 个值（CSV）

ticket-message = 客户话术
ticket-chinese = 中文
ticket-english = 英文
ticket-copy = 复制
ticket-copied = 已复制
ticket-message-name = 话术编号 { $name }，单击即可全选。
ticket-message-gaps = 发送前请补全“…”处的内容。

ticket-story = 处理记录
ticket-story-opened = 以 { $severity } 开单
ticket-story-worsened-to = 加重为 { $severity }
ticket-story-worsened = 加重
ticket-story-eased = 减轻为预警
ticket-story-cleared = 已恢复正常
ticket-story-cancelled = 已取消
ticket-story-reopened = 重新打开
ticket-story-why = { $what }：{ $why }
ticket-story-acknowledged = 已受理
ticket-story-assigned = 指派给 { $name }
ticket-story-assigned-again = 再次指派
ticket-story-started = 开始处理
ticket-story-wait-customer = 等客户，至 { $until }
ticket-story-wait-part = 等备件，至 { $until }
ticket-story-wait-visit = 等上门，至 { $until }
ticket-story-commented = 备注
ticket-story-resolved-as = 已解决：{ $verdict }
ticket-story-resolved = 已解决
ticket-story-closed = 已关闭
ticket-story-by = { $who }
ticket-story-profile = 档案版本 { $version }。
ticket-story-fitted = 更换备件：{ $parts }。
ticket-story-erased = 文字已删除。
ticket-why-cleared = 无人处理前已恢复正常
ticket-why-raised-again = 再次出现
ticket-why-no-help = 维修后仍出现
ticket-why-recheck-passed = 已关闭：维修后未再出现
ticket-why-unverified = 已关闭：使用太少，无法确认维修效果
ticket-why-withdrawn = 规则已撤回
ticket-why-absorbed = 并入 { $id }
ticket-why-sensor = 所依据的传感器有故障，见 { $id }
ticket-why-retired = 设备已停用
ticket-why-wait-over = 等待结束
ticket-why-repeated = 仍待处理
ticket-comment = 添加备注

ticket-act = 操作
ticket-act-all = 全部操作
ticket-act-acknowledge = 受理
ticket-act-start = 开始处理
ticket-act-go-on = 继续处理
ticket-act-assign = 指派
ticket-act-wait = 开始等待
ticket-act-comment = 保存备注
ticket-act-resolve = 标记为已解决
ticket-act-close = 关闭
ticket-act-reopen = 重新打开
ticket-assign-me = 指派给我
ticket-assign-to = 指派给
ticket-wait = 转为等待…
ticket-wait-for = 等待什么
ticket-wait-customer = 客户
ticket-wait-part = 备件
ticket-wait-visit = 上门
ticket-wait-until = 等到
ticket-wait-note = 给下一位同事的说明
ticket-resolve = 解决…
ticket-verdict = 结论
ticket-choose = 请选择
ticket-counts-right = 计为属实
ticket-counts-wrong = 计为误报
ticket-counts-nothing = 不计入
ticket-fitted = 更换的备件
ticket-found = 检查与处理情况
ticket-reopen = 重新打开…
ticket-reopen-why = 原因
ticket-close = 不作结论直接关闭…
ticket-close-what = 工单到此结束，不计入统计。恢复正常并再次出现之前不会再开单。

verdict-confirmed-fault = 故障属实
verdict-consumable = 耗材到期
verdict-user-education = 使用指导
verdict-environment = 环境原因
verdict-no-fault-found = 未发现故障
verdict-sensor-error = 传感器或数据异常
verdict-unreachable = 联系不上客户
verdict-declined = 客户拒绝
verdict-duplicate = 重复工单
verdict-known-problem = 已知批次问题

ticket-faster = 您填写期间，本单已被更改
ticket-faster-who = 您填写期间，{ $who } 更改了本单
ticket-faster-now = 页面显示当前内容，您提交的操作未执行。
ticket-own-text = 您的文字已保留，尚未保存
ticket-own-comment = 将我的文字存为备注
ticket-as-it-is = 查看工单当前内容
ticket-bad-version = 表单不完整，请刷新页面后重新提交。
ticket-bad-name = 请填写 1 至 64 个字符的姓名。
ticket-bad-wait = 请选择等待什么。
ticket-bad-until = 请选择今天起一年之内的日期。
ticket-bad-comment = 请先填写内容。
ticket-bad-verdict = 请选择结论。它决定此类故障是否计为属实。
ticket-bad-text = 文字过长，最多保存 { $limit } KiB，请缩短。

ticket-about-device = 设备
ticket-device = 设备
ticket-model = 型号
ticket-hardware = 硬件
ticket-firmware = 固件
ticket-lot = 批次
ticket-region = 地区
ticket-first-use = 启用日期
ticket-last-heard = 最近消息
ticket-earlier = 以往工单
ticket-about-ticket = 工单信息
ticket-fault = 故障
ticket-fault-stage = { $code } { $name }，{ $level ->
    [fault] 故障级
   *[warn] 预警级
}
ticket-profile = 档案
ticket-assignee = 负责人
ticket-seen = 发生
ticket-raises = 触发 { $n } 次
ticket-linked = 相关工单
ticket-keys = 快捷键：
ticket-keys-case = 下一个、上一个，
ticket-keys-acknowledge = 受理，
ticket-keys-up = 返回列表
